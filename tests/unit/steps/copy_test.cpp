// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"
#include "tests/unit/steps/step_harness.h"

using belay::event::Outcome;
using belay::event::Stage;
using belay::run::StepKind;
using belay::tests::StepHarness;

TEST_CASE("build and copy bring closure and agent over and take the lock") {
  StepHarness harness;
  harness.bring_over();
  CHECK(harness.host().store.contains(StepHarness::new_closure("system")));
  CHECK(harness.host().store.contains(belay::fakes::fake_path("belay-agent").string()));
  CHECK(harness.host().transactions.size() == 1);
  CHECK(harness.host().connections == 1);
  CHECK(harness.ended("system", Stage::copy).changed == true);
  CHECK(harness.ended("system", Stage::lock).generation_before == 1);
  CHECK(harness.host().activated.empty());
}

TEST_CASE("a build that fails names the log's first line and copies nothing") {
  StepHarness harness;
  harness.world.unbuildable.insert(StepHarness::new_closure("system"));
  const auto result = harness.step(StepKind::build);
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.reason == "build-failed");
  CHECK(result.message == "builder failed with exit code 1");
  CHECK_FALSE(result.touched);
}

TEST_CASE("a closure that nothing activates fails its build, and its path is named") {
  StepHarness harness;
  harness.world.inert.insert(StepHarness::new_closure("system"));
  const auto result = harness.step(StepKind::build);
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.reason == "no-activation");
  CHECK(result.message.find("nothing activates " + StepHarness::new_closure("system")) == 0);
  CHECK(harness.ended("system", Stage::build).reason == "no-activation");
}

TEST_CASE("a host that cannot be reached is an error, untouched, with every stage accounted for") {
  StepHarness harness;
  harness.host().reachable = false;
  harness.step(StepKind::build);
  const auto result = harness.step(StepKind::copy);
  CHECK(result.outcome == Outcome::error);
  CHECK(result.reason == "unreachable");
  CHECK_FALSE(result.touched);
  CHECK(harness.ended("system", Stage::copy).outcome == Outcome::error);
  CHECK(harness.ended("system", Stage::lock).outcome == Outcome::skipped);
}

TEST_CASE("a held lock is found before anything is activated and names the holder") {
  StepHarness harness;
  harness.host().lock_holder = "other-run";
  harness.step(StepKind::build);
  const auto result = harness.step(StepKind::copy);
  CHECK(result.reason == "lock-held");
  CHECK(result.message.find("other-run") != std::string::npos);
  CHECK(harness.ended("system", Stage::copy).outcome == Outcome::success);
}

TEST_CASE("a target of another system without an agent is told what is missing") {
  StepHarness harness;
  harness.host().uname = "Linux aarch64";
  harness.step(StepKind::build);
  const auto result = harness.step(StepKind::copy);
  CHECK(result.reason == "agent-missing");
  CHECK(result.message.find("aarch64-linux") != std::string::npos);
}

TEST_CASE("a cancelled copy is cancelled, not failed") {
  StepHarness harness;
  harness.step(StepKind::build);
  harness.work.cancel();
  CHECK(harness.step(StepKind::copy).outcome == Outcome::cancelled);
}
