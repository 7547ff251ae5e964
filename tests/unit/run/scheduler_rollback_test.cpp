// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/run/scheduler_bench.h"

// What a failure does to the others: which activations no longer start, and who is taken back in
// which order.

namespace belay::run {

using event::Outcome;

TEST_CASE("a failure after the barrier takes back what was confirmed, newest first") {
  auto plan = fakes::make_plan(5);
  plan.policy.limits.activate = 4;
  Bench bench(std::move(plan));
  bench.run_well(StepKind::activate);
  bench.finish("activate node-2", activated(2));
  bench.start(); // node-4
  bench.finish("activate node-0", activated(0));
  bench.finish("activate node-3", activation_failed(3));
  CHECK(bench.start() == Texts{"finish node-3"});
  bench.finish("finish node-3", result_of(3));
  bench.finish("activate node-4", activated(4));
  CHECK(bench.start().empty()); // node-1 may still be confirmed
  bench.finish("activate node-1", activated(1));
  CHECK(bench.start() ==
        Texts{"rollback node-1", "rollback node-4", "rollback node-0", "rollback node-2"});
  NodeResult taken_back = result_of(0);
  taken_back.rollback = event::Rollback::succeeded;
  taken_back.generation_after = 41;
  bench.finish("rollback node-0", taken_back);
  NodeResult failed = result_of(1, Outcome::error, "rollback-failed");
  failed.rollback = event::Rollback::failed;
  bench.finish("rollback node-1", failed);
  NodeResult lost = result_of(2, Outcome::error, "unreachable");
  lost.rollback = event::Rollback::unknown;
  bench.finish("rollback node-2", lost);
  bench.finish("rollback node-4", result_of(4, Outcome::error, "superseded"));
  // Where it is not well, nobody lets go of the way back.
  CHECK(bench.start() == Texts{"finish node-0", "finish node-4"});
  bench.run_well();
  CHECK(bench.scheduler.done());
  CHECK(bench.verdicts() == Texts{"failure/rolled-back/succeeded", "error/rollback-failed/failed",
                                  "error/state-unknown/unknown",
                                  "failure/activation-failed/succeeded", "error/superseded/none"});
  CHECK(bench.ended("node-0").generation_after == 41);
  CHECK_FALSE(bench.ended("node-0").changed);
  CHECK(bench.ended("node-1").changed);
}

TEST_CASE("a node without autoRollback is not taken back") {
  auto plan = fakes::make_plan(2);
  plan.nodes[0].profiles[0].auto_rollback = false;
  Bench bench(std::move(plan));
  bench.run_well(StepKind::activate);
  bench.finish("activate node-0", activated(0));
  bench.finish("activate node-1", activation_failed(1));
  CHECK(bench.start() == Texts{"finish node-1", "finish node-0"});
  bench.run_well();
  CHECK(bench.verdicts() == Texts{"success//none", "failure/activation-failed/succeeded"});
}

TEST_CASE("a node is said to be rolled back only where all of it is") {
  plan::Plan plan = fakes::make_plan(2);
  plan.nodes[0] = fakes::make_node("node-0", 2);
  const auto ended = [&](event::Outcome outcome, const std::string& reason) {
    Bench bench(plan);
    bench.run_well(StepKind::activate);
    bench.finish("activate node-0", activated(0));
    bench.finish("activate node-1", activation_failed(1));
    bench.start();
    NodeResult partly = result_of(0, outcome, reason);
    partly.rollback = event::Rollback::succeeded; // of one profile
    bench.finish("rollback node-0", partly);
    bench.run_well();
    return bench.ended("node-0");
  };
  SECTION("somebody else has set a profile") {
    const auto verdict = ended(event::Outcome::error, "superseded");
    CHECK(verdict.outcome == event::Outcome::error);
    CHECK(verdict.reason == "superseded");
    CHECK(verdict.changed);
  }
  SECTION("the run's patience ended first") {
    const auto verdict = ended(event::Outcome::cancelled, "cancelled");
    CHECK(verdict.outcome == event::Outcome::cancelled);
    CHECK(verdict.changed);
  }
  SECTION("a profile stays because its autoRollback is off") {
    plan.nodes[0].profiles[1].auto_rollback = false;
    const auto verdict = ended(event::Outcome::failure, "rolled-back");
    CHECK(verdict.reason == "rolled-back");
    CHECK(verdict.changed);
  }
  SECTION("all of it") {
    CHECK_FALSE(ended(event::Outcome::failure, "rolled-back").changed);
  }
}

TEST_CASE("after a failure no further activation starts") {
  auto plan = fakes::make_plan(3);
  plan.policy.limits.activate = 1;
  plan.policy.rollback_succeeded = GENERATE(true, false);
  Bench bench(std::move(plan));
  bench.run_well(StepKind::activate);
  bench.finish("activate node-0", activation_failed(0));
  CHECK(bench.start() == Texts{"finish node-0", "finish node-1", "finish node-2"});
  bench.run_well();
  CHECK(bench.scheduler.done());
  CHECK(bench.verdicts() == Texts{"failure/activation-failed/succeeded", "skipped/fail-fast/none",
                                  "skipped/fail-fast/none"});
}

TEST_CASE("continue with rollbackSucceeded: judged failures take the others back") {
  auto plan = fakes::make_plan(2);
  plan.policy.on_failure = plan::OnFailure::proceed;
  plan.policy.rollback_succeeded = true;
  Bench bench(std::move(plan));
  bench.start();
  bench.finish("build node-0 node-1", {result_of(0), result_of(1)});
  bench.start();
  bench.finish("copy node-0", result_of(0));
  bench.start();
  bench.finish("activate node-0", activated(0));
  CHECK(bench.start().empty()); // held
  SECTION("unreachable: no") {
    bench.finish("copy node-1", result_of(1, Outcome::error, "unreachable"));
    CHECK(bench.start() == Texts{"finish node-0"});
  }
  SECTION("activation failed: yes") {
    bench.finish("copy node-1", result_of(1));
    bench.start();
    bench.finish("activate node-1", activation_failed(1));
    CHECK(bench.start() == Texts{"rollback node-0", "finish node-1"});
  }
  SECTION("touched and lost: yes") {
    bench.finish("copy node-1", result_of(1));
    bench.start();
    NodeResult lost = result_of(1, Outcome::error, "state-unknown");
    lost.touched = true;
    bench.finish("activate node-1", lost);
    CHECK(bench.has_ended("node-1")); // no Finish where nobody knows
    CHECK(bench.start() == Texts{"rollback node-0"});
  }
}

} // namespace belay::run
