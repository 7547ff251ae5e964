// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"
#include "tests/unit/steps/activated_target.h"

#include <thread>

// A run that is told to stop: what is not begun any more, seen through, or left to the target.

using belay::event::Outcome;
using belay::event::Rollback;
using belay::run::StepKind;
using belay::tests::current;
using belay::tests::script;
using belay::tests::StepHarness;

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

TEST_CASE("a run that ends while a confirmed profile is taken back says how far that came") {
  StepHarness harness;
  harness.bring_over();
  REQUIRE(harness.step(StepKind::activate).outcome == Outcome::success);
  const auto lose_contact = [&] {
    ++harness.host().epoch;
    harness.abandon.cancel();
  };
  SECTION("the target was asked, and its answer is lost") {
    harness.host().on_revoke = lose_contact;
    const auto result = harness.step(StepKind::rollback);
    CHECK(result.outcome == Outcome::cancelled);
    CHECK(result.reason == "left-to-target");
    CHECK_FALSE(result.decides_by.empty());
    CHECK(result.message.starts_with("the target was asked to take profile system back"));
    CHECK(current(harness) == StepHarness::old_closure("system"));
  }
  SECTION("nobody could ask it") {
    lose_contact();
    const auto result = harness.step(StepKind::rollback);
    CHECK(result.outcome == Outcome::cancelled);
    CHECK(result.reason == "cancelled");
    CHECK(result.decides_by.empty());
    CHECK(result.message == "profile system is confirmed and stays");
    CHECK(current(harness) == StepHarness::new_closure("system"));
  }
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
