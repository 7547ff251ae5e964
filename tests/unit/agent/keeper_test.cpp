// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/keeper.h"

#include "engine/base/file.h"
#include "tests/catch.h"
#include "tests/unit/agent/simulated_target.h"

using namespace belay::agent;
using belay::agent::test::record_of;
using belay::agent::test::SimulatedTarget;
using belay::agent::test::store_path;
using std::chrono::seconds;
namespace fs = std::filesystem;

namespace {

const std::string old_path = store_path("old");
const std::string new_path = store_path("new");

/// A keeper in this thread; `between` is the runner's turn.
struct Case {
  belay::TemporaryDirectory folder{"/tmp/belay-keeper-"};
  TransactionFiles files{folder.path(), "0123456789abcdef"};
  RequestQueue queue{files};
  SimulatedTarget target;
  Record record;
  Keeper::Options options;
  int turn = 0;

  Case() {
    fs::create_directories(files.requests());
    target.install(41, old_path);
    target.boot = boot_id();
    record = record_of(target.recorded(new_path));
  }

  State run() {
    auto transaction = target.wake(record);
    Keeper keeper(record, files, transaction, target.clock, options);
    keeper.run();
    CHECK(transaction.view().closed);
    return transaction.view().profiles[0].state;
  }
  View view() const { return View(1, decode_journal(target.journal_text)); }
  void ask(const RequestBody& body) {
    queue.touch(target.clock.now(), boot_id());
    last = queue.drop(body, target.clock);
  }
  Entry answer() const { return view().requests.at(last); }
  std::string last;
};

} // namespace

TEST_CASE("keeper: activates, sees the confirmation, stays until finish") {
  Case c;
  c.ask(ActivateRequest{"0123456789abcdef", "system"});
  int awaited = 0;
  c.options.between = [&] {
    const auto state = c.view().profiles[0].state;
    if (state == State::awaiting_confirm && awaited++ == 0) {
      CHECK(c.target.decide(0, Verdict::confirmed) == Verdict::confirmed);
    }
    if (state == State::confirmed && !c.view().finished) {
      c.ask(FinishRequest{"0123456789abcdef"});
    }
  };
  CHECK(c.run() == State::confirmed);
  CHECK(awaited == 1);
  CHECK(c.view().finished);
  CHECK(fs::is_empty(c.files.requests()));
}

TEST_CASE("keeper: what recovers begins nothing that was asked for before the keeper's death") {
  Case c;
  c.ask(ActivateRequest{"0123456789abcdef", "system"});
  c.options.mode = Keeper::Mode::recover;
  CHECK(c.run() == State::prepared);
  CHECK(c.target.runs.empty());
  CHECK(c.answer().reason == "protocol");
  CHECK(fs::is_empty(c.files.requests()));
}

TEST_CASE("keeper: nobody asks for a minute: what is confirmed stays") {
  Case c;
  c.record.profiles[0].wanted.magic_rollback = false;
  c.ask(ActivateRequest{"0123456789abcdef", "system"});
  const auto begin = c.target.clock.now();
  CHECK(c.run() == State::confirmed);
  const auto lasted = c.target.clock.now() - begin;
  CHECK(lasted >= seconds(60));
  CHECK(lasted < seconds(65));
  CHECK_FALSE(c.view().finished);
  CHECK(c.target.running == new_path);
}

TEST_CASE("keeper: nobody asks for a minute, but a confirmation is awaited: it is awaited") {
  Case c;
  c.record.profiles[0].wanted.confirm_timeout = seconds(200);
  c.ask(ActivateRequest{"0123456789abcdef", "system"});
  const auto begin = c.target.clock.now();
  CHECK(c.run() == State::rolled_back);
  const auto lasted = c.target.clock.now() - begin;
  CHECK(lasted >= seconds(260)); // and its run may still want to revoke others
  CHECK(lasted < seconds(270));
}

TEST_CASE("keeper: the minute counts from the end of a long script") {
  Case c;
  c.record.profiles[0].wanted.magic_rollback = false;
  c.target.outcomes[new_path] = [&](const ScriptCall&) {
    c.target.clock.advance(seconds(200));
    return SimulatedTarget::exited(0);
  };
  c.ask(ActivateRequest{"0123456789abcdef", "system"});
  const auto begin = c.target.clock.now();
  CHECK(c.run() == State::confirmed);
  CHECK(c.target.clock.now() - begin >= seconds(260));
}

TEST_CASE("keeper: nobody ever asks: nothing was changed") {
  Case c;
  CHECK(c.run() == State::prepared);
  CHECK(c.target.link == "system-41-link");
}

TEST_CASE("keeper: each request that is seen keeps it for another minute") {
  Case c;
  const auto begin = c.target.clock.now();
  c.options.interval = seconds(1);
  c.options.between = [&] {
    if (c.target.clock.now() - begin < seconds(100)) {
      c.queue.touch(c.target.clock.now(), boot_id());
    }
  };
  c.run();
  CHECK(c.target.clock.now() - begin >= seconds(159));
}

TEST_CASE("keeper: what cannot be done is refused, in the journal") {
  Case c;
  SECTION("a profile that is not there") {
    c.ask(ActivateRequest{"0123456789abcdef", "other"});
    c.run();
    CHECK(c.answer().reason == "protocol");
  }
  SECTION("a revoke of what was never activated") {
    c.ask(RevokeRequest{"0123456789abcdef", "system"});
    c.run();
    CHECK(c.answer().reason == "protocol");
  }
  SECTION("an activation after abandon") {
    c.ask(AbandonRequest{"0123456789abcdef"});
    c.target.clock.advance(seconds(1));
    c.ask(ActivateRequest{"0123456789abcdef", "system"});
    CHECK(c.run() == State::prepared);
    CHECK(c.answer().reason == "protocol");
  }
  SECTION("a file that is no request") {
    const auto text = GENERATE(std::string("garbage"), std::string(line_limit + 1, 'x'));
    belay::replace_file(c.files.requests() / "000-x.request", text);
    c.last = "000-x.request";
    c.run();
    CHECK(c.answer().reason == "protocol");
  }
}

TEST_CASE("keeper: a request that cannot be read just now is looked at again") {
  Case c;
  c.record.profiles[0].wanted.magic_rollback = false;
  c.ask(ActivateRequest{"0123456789abcdef", "system"});
  const auto file = c.files.requests() / c.last;
  const auto aside = c.folder.path() / "aside";
  fs::rename(file, aside);
  fs::create_directory(file); // it is there, and no read succeeds
  c.options.between = [&] {
    if (fs::is_directory(file) && ++c.turn == 10) {
      CHECK(c.view().requests.empty());
      fs::remove(file);
      fs::rename(aside, file);
    }
  };
  CHECK(c.run() == State::confirmed);
  CHECK(c.answer().reason.empty());
}

TEST_CASE("keeper: a second activate of the same profile changes nothing") {
  Case c;
  c.record.profiles[0].wanted.magic_rollback = false;
  c.ask(ActivateRequest{"0123456789abcdef", "system"});
  c.ask(ActivateRequest{"0123456789abcdef", "system"});
  CHECK(c.run() == State::confirmed);
  CHECK(c.target.runs.size() == 1);
}

TEST_CASE("keeper: abandon is answered while a script runs, and obeyed when it ends") {
  Case c;
  Keeper* listener = nullptr;
  auto transaction = c.target.wake(c.record);
  Keeper keeper(c.record, c.files, transaction, c.target.clock, c.options);
  listener = &keeper;
  c.target.outcomes[new_path] = [&](const ScriptCall&) {
    c.ask(AbandonRequest{"0123456789abcdef"});
    listener->listen();
    CHECK(c.answer().reason.empty());
    return SimulatedTarget::exited(0);
  };
  c.ask(ActivateRequest{"0123456789abcdef", "system"});
  keeper.run();
  CHECK(transaction.view().profiles[0].state == State::rolled_back);
  CHECK(transaction.view().profiles[0].reason == "abandoned");
}

TEST_CASE("keeper: a successor recovers, and answers no request twice") {
  Case c;
  c.record.profiles[0].wanted.magic_rollback = false;
  c.ask(ActivateRequest{"0123456789abcdef", "system"});
  // The first keeper answered and died before it removed the file.
  if (GENERATE(values({0, 1})) == 1) { // that it was there at all may not have reached the disk
    c.target.append({.step = Step::keeping});
  }
  c.target.append({.step = Step::request, .profile = 0, .request = c.last});
  CHECK(c.run() == State::rolled_back); // interrupted: verified, nothing was activated
  CHECK(c.target.runs.empty());
  CHECK(c.view().profiles[0].reason == "interrupted");
}

TEST_CASE("keeper: a revoke is owed once it is accepted") {
  Case c;
  c.record.profiles[0].wanted.magic_rollback = false;
  SECTION("by the keeper that accepted it") {
    c.ask(ActivateRequest{"0123456789abcdef", "system"});
    c.options.between = [&] {
      if (c.view().profiles[0].state == State::confirmed) {
        c.ask(RevokeRequest{"0123456789abcdef", "system"});
      }
    };
    CHECK(c.run() == State::rolled_back);
    // It is on the disk before anybody is told.
    CHECK(c.target.journal_text.find("\"revoking\"") < c.target.journal_text.find(c.last));
  }
  SECTION("by its successor") {
    c.options.mode = Keeper::Mode::recover;
    c.target.wake(c.record).activate(0);
    c.target.append({.step = Step::revoking, .profile = 0});
    CHECK(c.run() == State::rolled_back);
    CHECK(c.view().profiles[0].reason == "revoked");
    CHECK(c.target.running == old_path);
  }
  SECTION("but not of what somebody else has set since") {
    c.options.mode = Keeper::Mode::recover;
    c.target.wake(c.record).activate(0);
    c.target.append({.step = Step::revoking, .profile = 0});
    c.target.install(50, store_path("theirs"));
    CHECK(c.run() == State::superseded);
    CHECK(c.target.running == store_path("theirs"));
  }
}

TEST_CASE("keeper: a disk that cannot sync does not fill the journal with what is asked once") {
  Case c;
  const auto lines = [&](const std::string& step) {
    const auto text = "\"step\":\"" + step + "\"";
    int count = 0;
    for (auto at = c.target.journal_text.find(text); at != std::string::npos;
         at = c.target.journal_text.find(text, at + 1)) {
      ++count;
    }
    return count;
  };
  std::optional<belay::Instant> broken;
  const auto ask_once = [&](State state, const RequestBody& body) {
    if (!broken && c.view().profiles[0].state == state) {
      broken = c.target.clock.now();
      c.target.sync_broken = true;
      c.ask(body);
    }
  };
  c.ask(ActivateRequest{"0123456789abcdef", "system"});
  SECTION("an abandon is obeyed all the same") {
    c.options.between = [&] {
      ask_once(State::awaiting_confirm, AbandonRequest{"0123456789abcdef"});
    };
    CHECK(c.run() == State::rolled_back);
    CHECK(c.view().profiles[0].reason == "abandoned");
    CHECK(c.answer().reason.empty());
    CHECK(lines("abandoned") == 1);
  }
  SECTION("a revoke, which has to be owed, is not accepted") {
    c.record.profiles[0].wanted.magic_rollback = false;
    c.options.between = [&] {
      ask_once(State::confirmed, RevokeRequest{"0123456789abcdef", "system"});
    };
    CHECK(c.run() == State::confirmed);
    CHECK_FALSE(c.view().requests.contains(c.last));
    CHECK(lines("revoking") > 3); // it is looked at again, for a minute
    CHECK(lines("revoking") < 30);
  }
  SECTION("and is accepted once the disk can") {
    c.record.profiles[0].wanted.magic_rollback = false;
    c.options.between = [&] {
      ask_once(State::confirmed, RevokeRequest{"0123456789abcdef", "system"});
      c.target.sync_broken = broken && c.target.clock.now() - *broken < seconds(10);
    };
    CHECK(c.run() == State::rolled_back);
    CHECK(c.answer().reason.empty());
  }
}

TEST_CASE("keeper: that nobody can tell who asked last is nothing to end of") {
  Case c;
  fs::create_directory(c.files.seen());
  CHECK(c.run() == State::prepared);
}

namespace {

/// So many lives that began and ended.
void live_in_vain(Case& c, int lives) {
  for (int i = 0; i < lives; ++i) {
    c.target.append({.step = Step::keeping});
  }
}

} // namespace

TEST_CASE("keeper: what ends each keeper does not go on for ever") {
  Case c;
  c.target.append({.step = Step::request, .profile = 0});
  c.target.append({.step = Step::switching, .profile = 0});
  c.target.set(SimulatedTarget::profile, new_path);
  live_in_vain(c, 999);
  SECTION("but so often another one may be luckier") {
    CHECK(c.run() == State::rolled_back);
    CHECK(c.target.link == "system-41-link");
  }
  SECTION("also where earlier ones had got a little further each") {
    c.target.append({.step = Step::rolling_back, .profile = 0, .reason = "activation-failed"});
    live_in_vain(c, 999);
    CHECK(c.run() == State::rolled_back);
  }
  SECTION("then it is ended as what nobody can vouch for") {
    live_in_vain(c, 1);
    CHECK(c.run() == State::rollback_failed);
    CHECK(c.view().profiles[0].reason == "interrupted");
    CHECK(c.view().profiles[0].message ==
          "1000 keepers of this deploy ended without getting any further");
    CHECK(c.target.runs.empty());
    CHECK(c.target.read(SimulatedTarget::profile).generation.path == new_path);
  }
}

TEST_CASE("keeper: where none gets any further, what was decided is decided all the same") {
  Case c;
  SECTION("nothing was begun") {
    live_in_vain(c, 1000);
    CHECK(c.run() == State::prepared);
  }
  SECTION("it was asked for, and nothing was touched") {
    c.target.append({.step = Step::request, .profile = 0});
    live_in_vain(c, 1000);
    CHECK(c.run() == State::rolled_back);
    CHECK(c.target.runs.empty());
  }
  SECTION("a confirmation is awaited") {
    c.target.wake(c.record).activate(0);
    live_in_vain(c, 1000);
    CHECK(c.run() == State::rollback_failed);
    CHECK(c.target.decide(0, Verdict::confirmed) == Verdict::expired); // it can come no more
  }
  SECTION("it is confirmed") {
    c.target.wake(c.record).activate(0);
    c.target.decide(0, Verdict::confirmed);
    live_in_vain(c, 1000);
    CHECK(c.run() == State::confirmed);
  }
  SECTION("it is confirmed, but not what is booted next") {
    c.record.profiles[0].wanted.boot_after_confirm = true;
    c.target.wake(c.record).activate(0);
    c.target.decide(0, Verdict::confirmed);
    live_in_vain(c, 1000);
    CHECK(c.run() == State::rollback_failed);
  }
  SECTION("a dry run has touched nothing") {
    c.record.profiles[0].wanted.mode = Mode::dry;
    c.target.append({.step = Step::request, .profile = 0});
    live_in_vain(c, 1000);
    CHECK(c.run() == State::failed);
  }
}

TEST_CASE("keeper: recover ends with the last decision") {
  Case c;
  c.options.mode = Keeper::Mode::recover;
  c.target.append({.step = Step::keeping});
  c.target.append({.step = Step::switching, .profile = 0});
  c.target.set(SimulatedTarget::profile, new_path);
  const auto begin = c.target.clock.now();
  CHECK(c.run() == State::rolled_back);
  CHECK(c.target.clock.now() - begin < seconds(10));
}
