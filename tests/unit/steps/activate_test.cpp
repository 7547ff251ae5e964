// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"
#include "tests/unit/steps/activated_target.h"

// What an activation comes to where everybody can be heard.

using belay::event::Outcome;
using belay::event::Rollback;
using belay::event::Stage;
using belay::run::StepKind;
using belay::tests::agent_logs;
using belay::tests::current;
using belay::tests::script;
using belay::tests::StepHarness;

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

TEST_CASE("without magic rollback the target confirms by itself and the link is read back") {
  StepHarness harness({.magic_rollback = false});
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::success);
  CHECK(harness.host().confirm_connections == 0);
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
