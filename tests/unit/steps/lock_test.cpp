// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"
#include "tests/unit/steps/step_harness.h"

#include <algorithm>
#include <thread>

// The second deploy of a target, and the first one's lock.

using belay::event::LockWaiting;
using belay::event::Outcome;
using belay::event::Stage;
using belay::run::StepKind;
using belay::tests::NodeSpec;
using belay::tests::StepHarness;
using std::chrono::seconds;

namespace {

void hold(StepHarness& harness, int meetings) {
  auto& host = harness.host();
  host.lock_holder = "0190";
  host.lock_meetings = meetings;
  host.lock_details = {{"url", "https://ci.example/1"}, {"since", "2026-03-01T12:00:00.000Z"}};
}

std::vector<LockWaiting> waits(const StepHarness& harness, const std::string& profile = "system") {
  std::vector<LockWaiting> found;
  for (const auto& draft : harness.told) {
    if (const auto* waiting = std::get_if<LockWaiting>(&draft.payload)) {
      CHECK(draft.subject.node == "web");
      CHECK(draft.subject.profile == profile);
      CHECK(draft.subject.stage == Stage::lock);
      found.push_back(*waiting);
    }
  }
  return found;
}

} // namespace

TEST_CASE("lock: it is waited for, told of once, and taken when it is free") {
  StepHarness harness({.lock_wait = seconds(30)});
  hold(harness, 2);
  harness.bring_over();
  CHECK(harness.host().prepares == 3);
  CHECK(harness.host().transactions.size() == 1);
  const auto told = waits(harness);
  REQUIRE(told.size() == 1);
  CHECK(told[0].holder_run == "0190");
  CHECK(told[0].holder_url == "https://ci.example/1");
  CHECK(told[0].since == "2026-03-01T12:00:00.000Z");
  CHECK(told[0].attended);
  CHECK(told[0].longest > seconds(25));
  CHECK(told[0].longest <= seconds(30));
  CHECK(harness.ended("system", Stage::lock).outcome == Outcome::success);
}

TEST_CASE("lock: whoever waited in vain says how long, and for whom") {
  StepHarness harness({.lock_wait = seconds(1)});
  hold(harness, -1);
  harness.step(StepKind::build);
  const auto result = harness.step(StepKind::copy);
  CHECK(result.reason == "lock-held");
  CHECK(result.outcome == Outcome::error);
  CHECK(result.message.starts_with("the target is held by run 0190 (https://ci.example/1) since "
                                   "2026-03-01T12:00:00.000Z; waited 1."));
  CHECK(harness.ended("system", Stage::lock).details ==
        std::map<std::string, std::string>{{"holder_run", "0190"},
                                           {"holder_url", "https://ci.example/1"},
                                           {"holder_since", "2026-03-01T12:00:00.000Z"}});
  CHECK(waits(harness).size() == 1);
}

TEST_CASE("lock: with --lock-wait 0 nobody waits") {
  StepHarness harness;
  hold(harness, 1);
  harness.step(StepKind::build);
  const auto result = harness.step(StepKind::copy);
  CHECK(result.reason == "lock-held");
  CHECK(result.message == "the target is held by run 0190 (https://ci.example/1) since "
                          "2026-03-01T12:00:00.000Z");
  CHECK(waits(harness).empty());
  CHECK(harness.host().prepares == 1);
}

TEST_CASE("lock: a deploy that only a real run may end is told as that, and not waited for") {
  StepHarness harness({.lock_wait = seconds(30)});
  hold(harness, -1);
  harness.host().lock_details["unfinished"] = "true";
  harness.step(StepKind::build);
  const auto result = harness.step(StepKind::copy);
  CHECK(result.reason == "lock-held");
  CHECK(result.message ==
        "an unfinished deploy of run 0190 (https://ci.example/1) since 2026-03-01T12:00:00.000Z is "
        "there, which a dry run leaves as it is; a real run, or belay-agent recover on the target, "
        "ends it");
  CHECK(waits(harness).empty());
}

TEST_CASE("lock: a holder whose runner has gone is told of again, and waited for to its end") {
  StepHarness harness({.lock_wait = seconds(1)});
  hold(harness, -1);
  auto& host = harness.host();
  host.lock_details["attended"] = "false";
  host.lock_details["rest_s"] = "30";
  std::thread end([&] {
    std::this_thread::sleep_for(seconds(2)); // beyond --lock-wait
    const std::lock_guard lock(harness.world.mutex);
    host.lock_meetings = 0;
  });
  harness.bring_over();
  end.join();
  const auto told = waits(harness);
  REQUIRE(told.size() == 1);
  CHECK_FALSE(told[0].attended);
  CHECK(told[0].longest > seconds(25));
}

TEST_CASE("lock: a cancel ends the wait at once") {
  StepHarness harness({.lock_wait = seconds(60)});
  hold(harness, -1);
  harness.step(StepKind::build);
  std::thread signal([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    harness.work.cancel();
  });
  const auto begin = belay::BootClock::now();
  const auto result = harness.step(StepKind::copy);
  signal.join();
  CHECK(result.outcome == Outcome::cancelled);
  CHECK(belay::BootClock::now() - begin < seconds(5));
  CHECK(harness.host().transactions.empty());
}

TEST_CASE("lock: a connection that the holder takes with it is made anew") {
  StepHarness harness({.lock_wait = seconds(30)});
  hold(harness, 3);
  harness.host().cut_prepare = 2;
  harness.bring_over();
  CHECK(harness.host().connections == 1);
  CHECK(harness.host().confirm_connections == 1);
  CHECK(harness.host().transactions.size() == 1);
}

TEST_CASE("lock: a turn that was given, but whose reply was lost, is taken up") {
  StepHarness harness({.lock_wait = seconds(30)});
  hold(harness, 1);
  harness.host().cut_prepare = 2;
  harness.bring_over();
  CHECK(harness.host().transactions.size() == 1);
  CHECK(harness.host().prepares == 3);
  CHECK(harness.step(StepKind::activate).outcome == Outcome::success);
}

TEST_CASE("lock: what another node of this run opened on the same machine is not this node's") {
  StepHarness harness({.lock_wait = seconds(1)});
  auto& transactions = harness.host().transactions;
  auto& twin = transactions["tx-of-twin"];
  twin.id = "tx-of-twin";
  twin.place = "web:/home/root";
  twin.run = "run-1";
  twin.node = "twin";
  twin.profiles.push_back({.request = {.name = "system", .closure = "/nix/store/other"}});
  harness.step(StepKind::build);
  const auto result = harness.step(StepKind::copy);
  CHECK(result.reason == "lock-held");
  CHECK(result.message.starts_with("the target is held by node twin of this very run: "));
  CHECK(transactions.size() == 1);
  CHECK_FALSE(twin.finished);
}

namespace {

/// How often root's transaction, which is opened first, was asked for.
int looks_at_first(StepHarness& harness) {
  const std::lock_guard lock(harness.world.mutex);
  const auto& transactions = harness.host().transactions;
  const auto found = std::find_if(transactions.begin(), transactions.end(), [](const auto& one) {
    return one.second.place == "web:/home/root";
  });
  return found == transactions.end() ? 0 : found->second.looks;
}

const NodeSpec two_owners{.profiles = {"system", "app"},
                          .logins = {{"app", {"alice", {}}}},
                          .users = {{"app", "alice"}},
                          .lock_wait = seconds(60),
                          .ping = std::chrono::milliseconds(100)};

} // namespace

TEST_CASE("lock: what is open already is asked for while another owner's lock is waited for") {
  StepHarness harness(two_owners);
  auto& host = harness.host();
  auto& held = host.transactions["tx-of-others"];
  held.place = "web:/home/alice";
  held.run = "0190";
  SECTION("to become free") {}
  SECTION("and the way to that one is lost") {
    host.cut_prepare = 3; // root's, alice's, alice's again
    host.closed_logins = {"alice"};
  }
  std::thread end([&] {
    const auto enough = belay::Wait::at_most(seconds(20));
    while (looks_at_first(harness) < 2 && !enough.expired()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    const std::lock_guard lock(harness.world.mutex);
    host.closed_logins.clear();
    held.finished = true;
  });
  const auto begin = belay::BootClock::now();
  harness.bring_over();
  end.join();
  CHECK(belay::BootClock::now() - begin < seconds(20));
  CHECK(waits(harness, "app").size() == 1);
}

TEST_CASE("lock: what is open already is asked for while another owner's prepare takes its time") {
  StepHarness harness(two_owners);
  const auto enough = belay::Wait::at_most(seconds(20));
  harness.host().prepare_ready["alice"] = [&] {
    return looks_at_first(harness) >= 2 || enough.expired();
  };
  harness.bring_over();
  CHECK_FALSE(enough.expired());
  CHECK(harness.step(StepKind::activate).outcome == Outcome::success);
}

TEST_CASE("lock: none is taken before every owner's agent is there") {
  StepHarness harness({.profiles = {"system", "app"}, .users = {{"app", "app"}}});
  harness.host().sudo.refusal = "sudo: a password is required\n";
  harness.step(StepKind::build);
  CHECK(harness.step(StepKind::copy).outcome == Outcome::error);
  CHECK(harness.host().prepares == 0); // else it would be held for as long as that one takes
}

TEST_CASE("lock: the log of an earlier deploy is told where it can be had, and needed by nobody") {
  StepHarness harness;
  auto& host = harness.host();
  host.earlier = {{.transaction = "tx-0", .run = "run-0", .profiles = {}}};
  host.keeps_log = GENERATE(true, false);
  CHECK(harness.step(StepKind::build).outcome == Outcome::success);
  CHECK(harness.step(StepKind::copy).outcome == Outcome::success);
  std::string told;
  for (const auto& draft : harness.told) {
    const auto* log = std::get_if<belay::event::LogLine>(&draft.payload);
    told += log != nullptr && log->stream == "agent-log" ? log->text : "";
  }
  CHECK(told == (host.keeps_log ? host.log : ""));
}

TEST_CASE("lock: without a wait, a lost connection is unreachable as ever") {
  StepHarness harness({.lock_wait = seconds(30)});
  harness.host().cut_prepare = 1;
  harness.step(StepKind::build);
  CHECK(harness.step(StepKind::copy).reason == "unreachable");
}
