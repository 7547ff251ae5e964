// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/earlier.h"

#include "engine/agent/ask.h"
#include "engine/agent/keep.h"
#include "engine/agent/requests.h"
#include "engine/agent/status.h"
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tests/catch.h"
#include "tests/fakes/fake_clock.h"
#include "tests/unit/agent/agent_process.h"
#include "tests/unit/agent/no_descriptors.h"

#include <filesystem>
#include <functional>
#include <string>

// One transaction that cannot be read must neither hide the others nor be taken for none.

using namespace belay::agent;

namespace {

struct Case {
  belay::TemporaryDirectory folder{"/tmp/belay-earlier-"};
  TransactionFiles broken{folder.path(), "00000000000000aa"};
  TransactionFiles other{folder.path(), "00000000000000bb"};
  belay::PosixProcessRunner processes;
  belay::SystemClock clock;
  Host host{.state_directory = folder.path(),
            .program = "/bin/false",
            .processes = processes,
            .clock = clock};

  Case() {
    belay::replace_file(broken.record(), "{\"version\": 99}");
    Record record;
    record.transaction = other.id();
    record.run = "run-2";
    record.since = clock.wall();
    write_record(other.record(), record);
  }
};

} // namespace

TEST_CASE("earlier: a record of a later version is refused, and it is said what to do") {
  Case c;
  auto text = belay::read_file(c.other.record(), 65536);
  const std::string version = "\"version\":1";
  REQUIRE(text.find(version) != std::string::npos);
  text.replace(text.find(version), version.size(), "\"version\":2");
  belay::replace_file(c.other.record(), text);
  try {
    read_record(c.other.record());
    FAIL("it was read");
  } catch (const belay::Error& error) {
    CHECK(error.kind() == belay::ErrorKind::protocol);
    CHECK(error.message() == c.other.record().string() +
                                 ": version 2 is of a later belay than this one: deploy with that "
                                 "one, or run its `belay-agent recover` on the target");
  }
}

TEST_CASE("earlier: one that cannot be read does not hide the others") {
  Case c;
  const auto text = describe_all(c.folder.path(), c.clock);
  CHECK(text.find(c.broken.id() + "  cannot be read: ") != std::string::npos);
  CHECK(text.find("run run-2") != std::string::npos);
  const auto json = describe_all_as_json(c.folder.path(), c.clock);
  CHECK(json.find("run-2") != std::string::npos);
  CHECK(json.find("\"error\"") != std::string::npos);
}

TEST_CASE("earlier: what cannot be looked at is not taken for nothing") {
  Case c;
  std::filesystem::remove_all(c.broken.folder());
  std::filesystem::remove_all(c.other.folder());
  CHECK(list_transactions(c.folder.path()).empty());
  CHECK(list_transactions(c.folder.path() / "missing").empty());
  CHECK_FALSE(any_open(c.folder.path()));
  {
    const test::NoDescriptors full;
    CHECK_THROWS_AS(list_transactions(c.folder.path()), belay::Error);
    CHECK(any_open(c.folder.path()));
  }
}

TEST_CASE("earlier: a record that cannot be read is not one that we do not know") {
  Case c;
  CHECK_FALSE(snapshot_if_known(c.broken, c.clock));
  CHECK(snapshot_if_known(c.other, c.clock));
  const test::NoDescriptors full;
  CHECK_THROWS_AS(snapshot_if_known(c.other, c.clock), belay::Error);
}

TEST_CASE("earlier: one that cannot be read does not keep the others from recovery") {
  Case c;
  const auto result = c.processes.run(
      {.argv = {test::agent_program(), "recover", "--state-directory", c.folder.path().string()}},
      belay::Wait::at_most(std::chrono::seconds(20)));
  CHECK(result.end == belay::ProcessResult::End::exited);
  CHECK(result.status == 1);
  CHECK(result.err.find("transaction " + c.broken.id()) != std::string::npos);
  CHECK(take_snapshot(c.other, c.clock)->view.closed);
}

namespace {

/// Time passes by itself; `heal` is called before each of its sleeps ends.
class HealingClock final : public belay::Clock {
public:
  explicit HealingClock(std::function<void()> heal = [] {}) : heal_(std::move(heal)) {}
  belay::Instant now() const override { return time_.now(); }
  belay::WallTime wall() const override { return time_.wall(); }
  void sleep_until(belay::Instant when) override {
    heal_();
    time_.set(when);
  }

private:
  std::function<void()> heal_;
  belay::fakes::FakeClock time_;
};

} // namespace

TEST_CASE("keep: what cannot be read is waited out, not died of again and again") {
  Case c;
  const auto keeps = [&](const TransactionFiles& files, KeeperVerb verb, HealingClock& clock) {
    const auto begin = clock.now();
    const auto status = keep(files, verb, c.processes, clock);
    return std::pair(status, std::chrono::duration_cast<std::chrono::seconds>(clock.now() - begin));
  };
  const auto [verb, none] = GENERATE(std::pair(KeeperVerb::keep, 0), //
                                     std::pair(KeeperVerb::recover, 1));
  SECTION("a disk that recovers late finds who keeps, not who only recovers") {
    int sleeps = 0;
    HealingClock clock([&] {
      if (++sleeps == 2000) {
        std::filesystem::remove(c.other.journal());
        JournalFile(c.other.journal()).append({.step = Step::closed});
      }
    });
    std::filesystem::create_directory(c.other.journal());
    const auto patience = std::chrono::seconds(verb == KeeperVerb::keep ? 2000 : 30);
    CHECK(keeps(c.other, verb, clock) == std::pair(none, patience));
  }
  SECTION("a text that is not understood will not be understood later") {
    HealingClock clock;
    CHECK(keeps(c.broken, verb, clock) == std::pair(none, std::chrono::seconds(0)));
  }
  SECTION("a moment is nothing to end of") {
    std::filesystem::create_directory(c.other.journal());
    HealingClock clock([&] {
      std::filesystem::remove(c.other.journal());
      JournalFile(c.other.journal()).append({.step = Step::closed});
    });
    CHECK(keeps(c.other, verb, clock) == std::pair(0, std::chrono::seconds(1)));
  }
}

TEST_CASE("earlier: one that cannot be read holds the target while it is kept") {
  Case c;
  std::filesystem::remove_all(c.other.folder());
  {
    const auto lock = FileLock::try_acquire(c.broken.lock());
    REQUIRE(lock);
    CHECK(any_open(c.folder.path()));
    const auto turn = take_turn(c.host);
    REQUIRE(std::holds_alternative<Refusal>(turn));
    CHECK(std::get<Refusal>(turn).reason == "lock-held");
    CHECK(std::get<Refusal>(turn).details.at("transaction") == c.broken.id());
  }
  CHECK_FALSE(any_open(c.folder.path()));
  CHECK(std::holds_alternative<FileLock>(take_turn(c.host)));
}

TEST_CASE("earlier: the holder is said to be looked after as long as somebody asks for it") {
  Case c;
  const auto lock = FileLock::try_acquire(c.other.lock()); // as its keeper has it
  REQUIRE(lock);
  const auto attended = [&](belay::Duration ago) {
    RequestQueue(c.other).touch(c.clock.now() - ago, boot_id());
    return std::get<Refusal>(take_turn(c.host)).details.at("attended");
  };
  CHECK(std::get<Refusal>(take_turn(c.host)).details.at("attended") == "false");
  CHECK(attended(attended_limit - std::chrono::seconds(5)) == "true");
  CHECK(attended(attended_limit + std::chrono::seconds(1)) == "false");
}

TEST_CASE("earlier: the time in which a holder ends by itself covers everything that it may do") {
  Case c;
  auto record = *read_record(c.other.record());
  record.profiles.resize(2);
  record.profiles[0].wanted.activation_timeout = std::chrono::seconds(100);
  record.profiles[0].wanted.confirm_timeout = std::chrono::seconds(7);
  record.profiles[1].wanted.activation_timeout = std::chrono::seconds(1000);
  record.profiles[1].wanted.confirm_timeout = std::chrono::seconds(0);
  record.profiles[1].wanted.boot_after_confirm = true;
  write_record(c.other.record(), record);
  const auto lock = FileLock::try_acquire(c.other.lock());
  const auto rest = std::get<Refusal>(take_turn(c.host)).details.at("rest_s");
  // Idle; script and the way back, each of which may have to be stopped; the lock of another one.
  const int first = (100 + 20) + 7 + (100 + 20 + 60);
  const int second = (1000 + 20) + 2 * (1000 + 20 + 60);
  CHECK(rest == std::to_string(60 + first + second));
}

TEST_CASE("earlier: a dry run leaves a deploy alone that nobody keeps, and says whose it is") {
  Case c;
  auto record = *read_record(c.other.record());
  record.profiles.resize(1);
  write_record(c.other.record(), record);
  const auto turn = take_turn(c.host, Orphans::leave);
  REQUIRE(std::holds_alternative<Refusal>(turn));
  CHECK(std::get<Refusal>(turn).reason == "lock-held");
  CHECK(std::get<Refusal>(turn).details.at("run") == "run-2");
  CHECK(std::get<Refusal>(turn).details.at("unfinished") == "true");
  CHECK_FALSE(take_snapshot(c.other, c.clock)->view.closed);

  record.profiles[0].wanted.mode = Mode::dry; // nothing of it could touch anything
  write_record(c.other.record(), record);
  const auto tried = take_turn(c.host, Orphans::leave); // no keeper is to be had from /bin/false
  CHECK_FALSE(std::get<Refusal>(tried).details.contains("unfinished"));
}

TEST_CASE("earlier: an end that nobody was told of is kept until it is told") {
  Case c;
  std::filesystem::remove_all(c.broken.folder());
  auto record = *read_record(c.other.record());
  record.profiles.resize(1);
  write_record(c.other.record(), record);
  {
    JournalFile journal(c.other.journal());
    journal.append({.step = Step::rollback_failed, .profile = 0, .reason = "activation-failed"});
    journal.append({.step = Step::closed, .time = c.clock.wall() - std::chrono::hours(25)});
  }
  sweep(c.host);
  REQUIRE(std::filesystem::exists(c.other.folder()));
  View opened(1);
  const TransactionFiles unreadable{c.folder.path(), "00000000000000ab"};
  std::filesystem::create_directory(unreadable.folder());
  std::filesystem::copy_file(c.other.record(), unreadable.record());
  std::filesystem::create_directory(unreadable.journal());
  const auto told = ends_to_tell(opened, c.host);
  REQUIRE(told.size() == 1);
  CHECK(told[0].profiles.at(0).state == State::rollback_failed);
  CHECK(ends_to_tell(opened, c.host).size() == 1); // that reply may have been lost
  View other(1);
  other.apply({.step = Step::request, .request = "activate"});
  CHECK(ends_to_tell(other, c.host).empty()); // its run was told long ago,
  note_told(other, c.host);                   // and of another end perhaps
  CHECK(ends_to_tell(opened, c.host).size() == 1);
  note_told(opened, c.host);
  CHECK(ends_to_tell(opened, c.host).empty());
  std::filesystem::remove_all(unreadable.folder());
  sweep(c.host);
  CHECK_FALSE(std::filesystem::exists(c.other.folder()));
}

TEST_CASE("ask: a request that is said to have failed is not left to be obeyed later") {
  Case c;
  std::filesystem::create_directories(c.other.requests());
  std::filesystem::create_directory(c.other.journal()); // cannot be read
  const auto lock = FileLock::try_acquire(c.other.lock());
  REQUIRE(lock);
  CHECK_THROWS_AS(ask_keeper(c.other, c.host, ActivateRequest{c.other.id(), "system"}),
                  belay::Error);
  CHECK(RequestQueue(c.other).list().empty());
  CHECK_THROWS_AS(ask_keeper(c.other, c.host, FinishRequest{c.other.id()}), belay::Error);
  CHECK(RequestQueue(c.other).list().size() == 1); // that it is to end may be obeyed at any time
}
