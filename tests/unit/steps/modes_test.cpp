// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"
#include "tests/unit/steps/step_harness.h"

// --dry-activate and --boot as the runner sees them.

using belay::event::Outcome;
using belay::event::Rollback;
using belay::event::Stage;
using belay::plan::Mode;
using belay::run::StepKind;
using belay::tests::NodeSpec;
using belay::tests::StepHarness;

namespace {

/// As the plan resolves it.
NodeSpec spec_of(Mode mode) {
  return {.magic_rollback = false, .auto_rollback = mode == Mode::boot, .mode = mode};
}

void script(StepHarness& harness, const belay::fakes::Script& script) {
  harness.world.scripts[StepHarness::new_closure("system")] = script;
}

void nothing_changed(StepHarness& harness) {
  CHECK(harness.host().generations["system"] ==
        std::vector<std::string>{StepHarness::old_closure("system")});
  CHECK(harness.host().activated.empty());
  CHECK(harness.rollbacks().empty());
}

} // namespace

TEST_CASE("a dry run shows what would be done, and is a success that changed nothing") {
  StepHarness harness(spec_of(Mode::dry_activate));
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  INFO(result.message);
  CHECK(result.outcome == Outcome::success);
  CHECK_FALSE(result.confirmed); // nothing that could be taken back
  CHECK_FALSE(result.changed);
  CHECK_FALSE(result.touched);
  CHECK(harness.host().tried.size() == 1);
  CHECK(harness.ended("system", Stage::activate).changed == false);
  CHECK(harness.host().confirm_connections == 0);
  nothing_changed(harness);
  CHECK(harness.step(StepKind::finish).outcome == Outcome::success);
}

TEST_CASE("a dry run whose script fails is a failure, and nothing is rolled back") {
  StepHarness harness(spec_of(Mode::dry_activate));
  script(harness, {.exit_status = 4});
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.reason == "activation-failed");
  CHECK(result.rollback == Rollback::none);
  CHECK(result.message.find("nothing was changed") != std::string::npos);
  nothing_changed(harness);
}

TEST_CASE("a dry run that is lost is no host of an unknown state") {
  StepHarness harness(spec_of(Mode::dry_activate));
  script(harness, {.cuts_network = true, .for_ever = true});
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::error);
  CHECK(result.reason != "state-unknown");
  CHECK(result.rollback == Rollback::none);
  CHECK(result.message.find("nothing was changed") != std::string::npos);
}

TEST_CASE("a dry run that is cancelled leaves nothing to anybody") {
  StepHarness harness(spec_of(Mode::dry_activate));
  script(harness, {.meanwhile = [&] { harness.abandon.cancel(); }, .for_ever = true});
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::cancelled);
  CHECK(result.reason == "cancelled");
  CHECK(result.decides_by.empty());
}

TEST_CASE("for boot: set and read back, without a confirmation") {
  StepHarness harness(spec_of(Mode::boot));
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  INFO(result.message);
  CHECK(result.outcome == Outcome::success);
  CHECK(result.confirmed); // may be taken back
  CHECK(result.generation_after == 2);
  CHECK(harness.host().confirm_connections == 0);
  CHECK(harness.ended("system", Stage::lock).details.at("mode") == "boot");
  CHECK(harness.ended("system", Stage::verify).outcome == Outcome::success);
  CHECK(harness.step(StepKind::rollback).rollback == Rollback::succeeded);
}

TEST_CASE("an agent that does not know the mode is never asked to activate") {
  const auto mode = GENERATE(Mode::dry_activate, Mode::boot);
  StepHarness harness(spec_of(mode));
  harness.host().old_agent = true;
  REQUIRE(harness.step(StepKind::build).outcome == Outcome::success);
  const auto result = harness.step(StepKind::copy);
  CHECK(result.outcome == Outcome::error);
  CHECK(result.message.find("--" + std::string(name_of(mode))) != std::string::npos);
  CHECK(harness.host().tried.empty());
  nothing_changed(harness);
}
