// SPDX-License-Identifier: Apache-2.0
#include "engine/base/text.h"
#include "tests/catch.h"
#include "tests/unit/steps/activated_target.h"

// Ways back: those of a node of several profiles, those that a run asks for, those that fail.

using belay::event::Outcome;
using belay::event::Rollback;
using belay::run::StepKind;
using belay::tests::current;
using belay::tests::script;
using belay::tests::StepHarness;

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

TEST_CASE(
    "when the second profile was confirmed and is somebody else's, the node is not as it was") {
  StepHarness harness({.profiles = {"app", "system"}});
  harness.on_tell = [&](const belay::event::Draft& draft) {
    if (std::holds_alternative<belay::event::StageStarted>(draft.payload) &&
        draft.subject.profile == "system" && draft.subject.stage == belay::event::Stage::verify) {
      harness.host().generations["system"].push_back("/nix/store/somebody-elses");
    }
  };
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.reason == "verify-failed");
  CHECK(result.rollback == Rollback::succeeded); // of the first one
  CHECK(result.changed);
  CHECK(result.confirmed);
  CHECK(current(harness, "app") == StepHarness::old_closure("app"));
  CHECK(current(harness, "system") == "/nix/store/somebody-elses");
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

TEST_CASE("a rollback that the target confirmed is not doubted for one refused login") {
  StepHarness harness;
  harness.bring_over();
  REQUIRE(harness.step(StepKind::activate).outcome == Outcome::success);
  harness.host().refused_logins = 1;
  const auto result = harness.step(StepKind::rollback);
  CHECK(result.rollback == Rollback::succeeded);
  CHECK(result.outcome == Outcome::failure);
}

TEST_CASE("a run that has to end does not call rolled back what nobody gets in to") {
  StepHarness harness;
  script(harness, {.exit_status = 1, .meanwhile = [&] { harness.abandon.cancel(); }});
  harness.bring_over();
  SECTION("no login works") {
    harness.host().refuses_confirm = true;
    const auto result = harness.step(StepKind::activate);
    CHECK(result.rollback == Rollback::failed);
    CHECK(result.reason == "rollback-failed");
    CHECK(harness.rollbacks().empty());
    CHECK(result.message.find("no new login gets in") != std::string::npos);
  }
  SECTION("one does") {
    const auto result = harness.step(StepKind::activate);
    CHECK(result.rollback == Rollback::succeeded);
    CHECK(harness.rollbacks().size() == 1);
  }
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
