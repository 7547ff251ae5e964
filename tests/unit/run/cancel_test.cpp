// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/run/scheduler_bench.h"

using std::chrono_literals::operator""s;

namespace belay::run {

using event::Outcome;

TEST_CASE("a cancel before anything has started ends every node") {
  Bench bench(fakes::make_plan(2));
  bench.scheduler.cancel(bench.clock.now());
  CHECK(bench.start().empty());
  CHECK(bench.scheduler.done());
  CHECK(bench.verdicts() == Texts{"cancelled/cancelled/none", "cancelled/cancelled/none"});
}

TEST_CASE("after a cancel nothing starts but Finish") {
  auto plan = fakes::make_plan(4);
  plan.policy.limits.activate = 2;
  Bench bench(std::move(plan));
  bench.run_well(StepKind::activate);
  bench.finish("activate node-0", activated(0)); // held: node-1 could still fail
  bench.start();
  bench.scheduler.cancel(bench.clock.now());
  CHECK(bench.start() == Texts{"finish node-0", "finish node-3"}); // its lock is let go
  CHECK(bench.scheduler.abandon_at() == bench.clock.now() + 5s);
  SECTION("an activation that fails now takes nobody back") {
    bench.finish("activate node-1", activation_failed(1));
    bench.finish("activate node-2", activated(2));
    CHECK(bench.start() == Texts{"finish node-1", "finish node-2"});
    bench.run_well();
    CHECK(bench.verdicts() == Texts{"success//none", "failure/activation-failed/succeeded",
                                    "success//none", "cancelled/cancelled/none"});
  }
  SECTION("what is left to its target gets no Finish") {
    NodeResult left = result_of(1, Outcome::cancelled, "left-to-target");
    left.touched = true;
    left.decides_by = "2026-11-22T00:05:00.000Z";
    bench.finish("activate node-1", left);
    CHECK(bench.ended("node-1").decides_by == left.decides_by);
    CHECK(bench.start().empty());
  }
  CHECK(bench.scheduler.wake_at(bench.clock.now()) == std::nullopt);
}

TEST_CASE("a copy or build that ends well after a cancel goes no further") {
  Bench bench(fakes::make_plan(1));
  bench.start();
  SECTION("build") {
    bench.scheduler.cancel(bench.clock.now());
    bench.finish("build node-0", result_of(0));
    CHECK(bench.start().empty());
  }
  SECTION("copy") {
    bench.finish("build node-0", result_of(0));
    bench.start();
    bench.scheduler.cancel(bench.clock.now());
    bench.finish("copy node-0", result_of(0));
    CHECK(bench.start() == Texts{"finish node-0"});
    bench.finish("finish node-0", result_of(0));
  }
  CHECK(bench.scheduler.done());
  CHECK(bench.verdicts() == Texts{"cancelled/cancelled/none"});
}

TEST_CASE("a cancel in the middle of taking back: what has not begun stays") {
  auto plan = fakes::make_plan(3);
  plan.policy.limits.activate = 1;
  Bench bench(std::move(plan));
  bench.run_well(StepKind::activate);
  bench.finish("activate node-0", activated(0));
  bench.start();
  bench.finish("activate node-1", activated(1));
  bench.start();
  bench.finish("activate node-2", activation_failed(2));
  CHECK(bench.start() == Texts{"rollback node-1", "finish node-2"});
  bench.scheduler.cancel(bench.clock.now());
  CHECK(bench.start() == Texts{"finish node-0"});
  NodeResult taken_back = result_of(1);
  taken_back.rollback = event::Rollback::succeeded;
  bench.finish("rollback node-1", taken_back);
  bench.run_well();
  CHECK(bench.scheduler.done());
  CHECK(bench.verdicts() == Texts{"success//none", "failure/rolled-back/succeeded",
                                  "failure/activation-failed/succeeded"});
}

TEST_CASE("when the grace is over not even Finish starts") {
  auto plan = fakes::make_plan(3);
  plan.policy.parallel = 1;
  Bench bench(std::move(plan));
  bench.run_well(StepKind::activate);
  bench.scheduler.cancel(bench.clock.now());
  CHECK(bench.start() == Texts{"finish node-1"});
  const Instant over = *bench.scheduler.abandon_at();
  CHECK(bench.scheduler.wake_at(bench.clock.now()) == over);
  bench.clock.set(over);
  CHECK(bench.scheduler.wake_at(bench.clock.now()) == std::nullopt); // never in the past
  CHECK(bench.start().empty());
  CHECK(bench.ended("node-2").outcome == Outcome::cancelled);
  bench.finish("activate node-0", activated(0));
  bench.finish("finish node-1", result_of(1));
  CHECK(bench.scheduler.done());
  CHECK(bench.ended("node-0").outcome == Outcome::success);
}

TEST_CASE("leaving tells every verdict that is known and is silent about what is at work") {
  auto plan = fakes::make_plan(4);
  plan.policy.limits.activate = 3;
  Bench bench(std::move(plan));
  bench.run_well(StepKind::activate);
  bench.finish("activate node-0", activated(0)); // held: it may still have to be taken back
  bench.scheduler.cancel(bench.clock.now());
  bench.scheduler.leave(bench.clock.now());
  CHECK(bench.ended("node-0").outcome == Outcome::success);
  CHECK(bench.ended("node-3").outcome == Outcome::cancelled);
  CHECK_FALSE(bench.has_ended("node-1"));
  CHECK_FALSE(bench.has_ended("node-2"));
}

} // namespace belay::run
