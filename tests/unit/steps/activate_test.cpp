// SPDX-License-Identifier: Apache-2.0
#include "engine/base/text.h"
#include "engine/run/follow.h"
#include "tests/catch.h"
#include "tests/unit/steps/step_harness.h"

#include <thread>

using belay::agent::State;
using belay::event::Outcome;
using belay::event::Rollback;
using belay::event::Stage;
using belay::run::StepKind;
using belay::tests::NodeSpec;
using belay::tests::StepHarness;

namespace {

std::string current(StepHarness& harness, const std::string& profile = "system") {
  const auto& generations = harness.host().generations[profile];
  return generations.empty() ? "" : generations.back();
}

void script(StepHarness& harness, const belay::fakes::Script& script,
            const std::string& profile = "system") {
  harness.world.scripts[StepHarness::new_closure(profile)] = script;
}

State state_of(StepHarness& harness) {
  return harness.host().transactions.begin()->second.profiles.front().state;
}

/// What was told of the target's own log.
std::string agent_logs(const StepHarness& harness) {
  std::string text;
  for (const auto& draft : harness.told) {
    const auto* log = std::get_if<belay::event::LogLine>(&draft.payload);
    text += log != nullptr && log->stream == "agent-log" ? log->text : "";
  }
  return text;
}

} // namespace

TEST_CASE("a good deploy is confirmed over a connection of its own and read back") {
  StepHarness harness;
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  INFO(result.message);
  CHECK(result.outcome == Outcome::success);
  CHECK(result.confirmed);
  CHECK(result.changed);
  CHECK(result.generation_after == 2);
  CHECK(harness.host().confirm_connections == 1);
  CHECK(current(harness) == StepHarness::new_closure("system"));
  CHECK(harness.ended("system", Stage::confirm).details.at("confirm_path") == "direct");
  CHECK(agent_logs(harness).empty());
  CHECK(harness.step(StepKind::finish).outcome == Outcome::success);
  CHECK(harness.host().transactions.begin()->second.finished);
}

TEST_CASE("an unchanged closure is activated again and says so") {
  StepHarness harness;
  harness.host().generations["system"] = {StepHarness::new_closure("system")};
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::success);
  CHECK_FALSE(result.changed);
  CHECK(harness.host().activated.size() == 1);
}

TEST_CASE("a failing script is a failure with the target's own rollback") {
  StepHarness harness;
  script(harness, {.exit_status = 4});
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.reason == "activation-failed");
  CHECK(result.rollback == Rollback::succeeded);
  CHECK(result.touched);
  CHECK(current(harness) == StepHarness::old_closure("system"));
  REQUIRE(harness.rollbacks().size() == 1);
  CHECK(harness.rollbacks().front().verified);
  CHECK(harness.rollbacks().front().from == 2);
  CHECK(harness.rollbacks().front().to == 1);
  CHECK(harness.ended("system", Stage::verify).outcome == Outcome::skipped);
}

TEST_CASE("without autoRollback a failed activation is left as it is") {
  StepHarness harness({.auto_rollback = false});
  script(harness, {.exit_status = 4});
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.rollback == Rollback::none);
  CHECK(current(harness) == StepHarness::new_closure("system"));
}

TEST_CASE("a rollback that fails is an error that nobody can take for less") {
  StepHarness harness;
  script(harness, {.exit_status = 4});
  harness.host().rollback_fails = true;
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::error);
  CHECK(result.reason == "rollback-failed");
  CHECK(result.rollback == Rollback::failed);
  CHECK(harness.rollbacks().empty());
}

TEST_CASE("nobody gets in any more: the target goes back and the working connection says so") {
  StepHarness harness;
  harness.host().refuses_confirm = true;
  harness.host().opens_when_back = true;
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.reason == "confirm-timeout");
  CHECK(result.rollback == Rollback::succeeded);
  CHECK(current(harness) == StepHarness::old_closure("system"));
}

TEST_CASE(
    "the target went back, but nobody gets in: no clean rollback, whoever still is connected") {
  StepHarness harness;
  harness.host().refuses_confirm = true;
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(current(harness) == StepHarness::old_closure("system"));
  CHECK(result.outcome == Outcome::error);
  CHECK(result.reason == "rollback-failed");
  CHECK(result.rollback == Rollback::failed);
  CHECK(result.message.find("is back, but no new login gets in: ") != std::string::npos);
  CHECK(harness.rollbacks().empty());
}

TEST_CASE("a target that cannot say for a moment how it is has not failed") {
  StepHarness harness;
  harness.host().states_refused = 1;
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  INFO(result.message);
  CHECK(result.outcome == Outcome::success);
  CHECK(harness.host().states_refused == 0);
}

TEST_CASE("a network that is cut comes back with the old generation and the verdict is fetched") {
  StepHarness harness;
  script(harness, {.cuts_network = true});
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(agent_logs(harness) == "what the host did\n");
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.reason == "confirm-timeout");
  CHECK(result.rollback == Rollback::succeeded);
}

TEST_CASE("connections that die in the activation do not matter: a new one confirms") {
  StepHarness harness;
  script(harness, {.drops_connections = true});
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  INFO(result.message);
  CHECK(result.outcome == Outcome::success);
  CHECK(state_of(harness) == State::confirmed);
  CHECK(agent_logs(harness) == "what the host did\n"); // what it told meanwhile went nowhere
}

TEST_CASE("a confirmation whose answer is lost is asked for again, not doubted") {
  StepHarness harness;
  harness.host().loses_confirm_reply = true;
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  INFO(result.message);
  CHECK(result.outcome == Outcome::success);
  CHECK(state_of(harness) == State::confirmed);
}

TEST_CASE("a target that never comes back is unknown, neither failed nor fine") {
  StepHarness harness;
  script(harness, {.drops_connections = true, .for_ever = true});
  harness.bring_over();
  harness.host().refuses_confirm = true;
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::error);
  CHECK(result.reason == "state-unknown");
  CHECK(result.rollback == Rollback::unknown);
  CHECK(result.touched);
  CHECK(harness.host().confirm_connections < 8); // it is asked less and less often
}

TEST_CASE("who asks again waits 1, 2, 4, and then always 4 seconds") {
  belay::Duration delay{};
  std::vector<belay::Duration> delays;
  for (int i = 0; i < 5; ++i) {
    delays.push_back(delay = belay::run::next_delay(delay));
  }
  using std::chrono::seconds;
  CHECK(delays ==
        std::vector<belay::Duration>{seconds(1), seconds(2), seconds(4), seconds(4), seconds(4)});
}

TEST_CASE("a confirmation that does not get in at first is tried again while there is time") {
  StepHarness harness({.confirm_timeout = std::chrono::seconds(20)});
  harness.host().refused_logins = 1;
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::success);
  CHECK(result.confirmed);
  CHECK(harness.host().confirm_connections == 2);
}

TEST_CASE("of a log that never ends the last 64 KiB are told, and no more is asked for than there "
          "may be") {
  StepHarness harness;
  auto& host = harness.host();
  host.log_part = 8 * 1024;
  host.log = std::string(16 * 1024 * 1024, 'x');
  script(harness, {.drops_connections = true});
  harness.bring_over();
  CHECK(harness.step(StepKind::activate).outcome == Outcome::success);
  CHECK(agent_logs(harness).size() > 60 * 1024);
  CHECK(agent_logs(harness).size() <= 64 * 1024);
  CHECK(host.log_requests <= 64);
}

TEST_CASE("a target that is gone before it was asked for anything is unreachable, not unknown") {
  StepHarness harness;
  harness.bring_over();
  harness.host().refuses_confirm = true;
  ++harness.host().epoch;
  const auto first = harness.step(StepKind::activate);
  CHECK(first.outcome == Outcome::error); // it was asked over the dying connection
  CHECK(current(harness) == StepHarness::old_closure("system"));
}

TEST_CASE("without magic rollback the target confirms by itself and the link is read back") {
  StepHarness harness({.magic_rollback = false});
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::success);
  CHECK(harness.host().confirm_connections == 0);
}

TEST_CASE("when the second profile fails the first one of the node goes back too") {
  StepHarness harness({.profiles = {"app", "system"}});
  script(harness, {.exit_status = 1}, "system");
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.reason == "activation-failed");
  CHECK(result.rollback == Rollback::succeeded);
  CHECK_FALSE(result.changed);
  CHECK(current(harness, "app") == StepHarness::old_closure("app"));
  CHECK(current(harness, "system") == StepHarness::old_closure("system"));
  CHECK(harness.rollbacks().size() == 2);
}

TEST_CASE("without autoRollback what was confirmed before stays, and that is said") {
  StepHarness harness({.profiles = {"system", "app"}, .auto_rollback = false});
  script(harness, {.exit_status = 1}, "app");
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.changed);
  CHECK(current(harness) == StepHarness::new_closure("system"));
  CHECK(result.message.ends_with("; confirmed before and kept, since autoRollback is off: system"));
}

TEST_CASE("a confirmed node is taken back when the run fails elsewhere") {
  StepHarness harness;
  harness.bring_over();
  REQUIRE(harness.step(StepKind::activate).outcome == Outcome::success);
  const auto result = harness.step(StepKind::rollback);
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.reason == "rolled-back");
  CHECK(result.rollback == Rollback::succeeded);
  CHECK(current(harness) == StepHarness::old_closure("system"));
}

TEST_CASE("a revocation that cannot be heard of is unknown") {
  StepHarness harness;
  harness.bring_over();
  REQUIRE(harness.step(StepKind::activate).outcome == Outcome::success);
  harness.host().rollback_fails = true;
  CHECK(harness.step(StepKind::rollback).rollback == Rollback::failed);
}

TEST_CASE("a revocation that was obeyed and refused is what the target says it is") {
  StepHarness harness;
  harness.bring_over();
  REQUIRE(harness.step(StepKind::activate).outcome == Outcome::success);
  harness.host().fails_after_revoke = true;
  CHECK(harness.step(StepKind::rollback).rollback == Rollback::succeeded);
  CHECK(current(harness) == StepHarness::old_closure("system"));
}

TEST_CASE("what is abandoned is told to the target, and reported as left to it") {
  StepHarness harness;
  script(harness, {.for_ever = true});
  harness.bring_over();
  std::thread patience([&] { harness.abandon.cancel(); });
  const auto result = harness.step(StepKind::activate);
  patience.join();
  CHECK(result.outcome == Outcome::cancelled);
  CHECK(result.reason == "left-to-target");
  CHECK_FALSE(result.decides_by.empty());
  CHECK(harness.host().transactions.begin()->second.abandoned);
}

TEST_CASE(
    "a target is given the time that a way back takes which meets another activation's lock") {
  StepHarness harness({.foreign_lock = std::chrono::seconds(1000)});
  script(harness, {.for_ever = true});
  harness.bring_over();
  harness.abandon.cancel();
  const auto begin = belay::SystemClock().wall();
  const auto decides_by = belay::parse_time(harness.step(StepKind::activate).decides_by);
  REQUIRE(decides_by);
  // And no more than that: two scripts of 0 s, 1 s each to stop them, 1 s to confirm, 4 s to tell.
  // Less a millisecond: it comes by way of the other clock, and both are cut to milliseconds.
  CHECK(*decides_by - begin >= std::chrono::seconds(1007) - std::chrono::milliseconds(1));
  CHECK(*decides_by - begin < std::chrono::seconds(1010));
}

TEST_CASE("between two profiles a cancelled node starts no further one") {
  StepHarness harness({.profiles = {"app", "system"}});
  script(harness, {.meanwhile = [&] { harness.work.cancel(); }}, "app");
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::cancelled);
  CHECK(current(harness, "app") == StepHarness::new_closure("app"));
  CHECK(current(harness, "system") == StepHarness::old_closure("system"));
}

TEST_CASE("after the first signal no activation starts, not even the first one") {
  StepHarness harness;
  harness.bring_over();
  harness.work.cancel();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::cancelled);
  CHECK_FALSE(result.touched);
  CHECK(harness.host().activated.empty());
}

TEST_CASE("an activation that was begun and then refused is followed to its end") {
  StepHarness harness;
  harness.bring_over();
  harness.host().fails_after_activate = true;
  const auto result = harness.step(StepKind::activate);
  INFO(result.message);
  CHECK(result.outcome == Outcome::success);
  CHECK(result.confirmed);
}

TEST_CASE(
    "told to stop between two profiles, the first one is seen through, the second untouched") {
  StepHarness harness({.profiles = {"system", "base"}});
  harness.world.scripts[StepHarness::new_closure("system")].meanwhile = [&] {
    harness.work.cancel();
  };
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::cancelled);
  CHECK(result.confirmed);
  CHECK(result.changed);
  CHECK(result.rollback == Rollback::none);
  CHECK(harness.host().activated == std::vector<std::string>{StepHarness::new_closure("system")});
  for (const auto& draft : harness.told) {
    const bool began = std::holds_alternative<belay::event::StageStarted>(draft.payload);
    CHECK_FALSE((began && draft.subject.profile == "base" &&
                 draft.subject.stage == belay::event::Stage::activate));
  }
}

TEST_CASE("an activation that was refused has changed nothing and is no unknown state") {
  StepHarness harness;
  harness.bring_over();
  harness.host().refuses_activate = true;
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::error);
  CHECK(result.reason != "state-unknown");
  CHECK_FALSE(result.touched);
  CHECK(result.rollback == Rollback::none);
}

TEST_CASE("a rollback that the target confirmed is not doubted for one refused login") {
  StepHarness harness;
  harness.bring_over();
  REQUIRE(harness.step(StepKind::activate).outcome == Outcome::success);
  harness.host().refused_logins = 1;
  const auto result = harness.step(StepKind::rollback);
  CHECK(result.rollback == Rollback::succeeded);
  CHECK(result.outcome == Outcome::failure);
}

TEST_CASE("what somebody else has set meanwhile is left alone and is not called rolled back") {
  StepHarness harness;
  harness.bring_over();
  REQUIRE(harness.step(StepKind::activate).outcome == Outcome::success);
  harness.host().generations["system"].push_back("/nix/store/somebody-elses");
  const auto result = harness.step(StepKind::rollback);
  CHECK(result.outcome == Outcome::error);
  CHECK(result.reason == "superseded");
  CHECK(result.rollback == Rollback::none);
  CHECK(current(harness) == "/nix/store/somebody-elses");
}

TEST_CASE("a target that confirmed before it was told to decide alone keeps the new profile") {
  StepHarness harness;
  script(harness, {.drops_connections = true, .meanwhile = [&] { harness.abandon.cancel(); }});
  harness.host().confirms_by_itself = true;
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::cancelled);
  CHECK(result.reason == "cancelled");
  CHECK(result.confirmed);
  CHECK(current(harness) == StepHarness::new_closure("system"));
}

TEST_CASE("a deadline that finds somebody else's generation is no failed rollback") {
  StepHarness harness;
  harness.host().refuses_confirm = true;
  script(harness, {.meanwhile = [&] {
           harness.host().generations["system"].push_back("/nix/store/somebody-elses");
         }});
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::error);
  CHECK(result.reason == "superseded");
  CHECK(result.rollback == Rollback::none);
  CHECK(current(harness) == "/nix/store/somebody-elses");
}
