// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"
#include "tests/unit/steps/step_harness.h"

// bootDefault: afterConfirm, as the runner sees it: "confirmed in time" is not green yet.

using belay::event::Outcome;
using belay::event::Rollback;
using belay::event::Stage;
using belay::plan::BootDefault;
using belay::run::StepKind;
using belay::tests::StepHarness;

namespace {

std::string booted(StepHarness& harness) {
  return harness.host().boot_default["system"];
}

} // namespace

TEST_CASE("a new generation is booted once it is confirmed, and then it is a success") {
  StepHarness harness({.boot_default = BootDefault::after_confirm});
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  INFO(result.message);
  CHECK(result.outcome == Outcome::success);
  CHECK(booted(harness) == StepHarness::new_closure("system"));
  CHECK(harness.ended("system", Stage::lock).details.at("boot_default") == "after-confirm");
}

TEST_CASE("a boot default that could not be set is rolled back and never green") {
  StepHarness harness({.boot_default = BootDefault::after_confirm});
  harness.world.scripts[StepHarness::new_closure("system")] = {.boot_exit_status = 3};
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.reason == "boot-default-failed");
  CHECK(result.rollback == Rollback::succeeded);
  CHECK(harness.ended("system", Stage::confirm).outcome == Outcome::failure);
  REQUIRE(harness.rollbacks().size() == 1);
  CHECK(harness.rollbacks().front().verified);
  CHECK(booted(harness) == StepHarness::old_closure("system"));
}

TEST_CASE("without autoRollback it stays, and is a failure") {
  StepHarness harness({.auto_rollback = false, .boot_default = BootDefault::after_confirm});
  harness.world.scripts[StepHarness::new_closure("system")] = {.boot_exit_status = 3};
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.reason == "boot-default-failed");
  CHECK(result.rollback == Rollback::none);
}

TEST_CASE("an agent that does not know the setting is refused before it is asked to activate") {
  StepHarness harness({.boot_default = BootDefault::after_confirm});
  harness.host().old_agent = true;
  REQUIRE(harness.step(StepKind::build).outcome == Outcome::success);
  const auto result = harness.step(StepKind::copy);
  CHECK(result.outcome == Outcome::error);
  CHECK(result.message.find("bootDefault") != std::string::npos);
  CHECK(harness.host().activated.empty());
  CHECK(harness.host().transactions.begin()->second.finished); // its lock was given back
}
