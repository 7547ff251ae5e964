// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/run/scheduler_bench.h"

#include <algorithm>
#include <ctime>

using std::chrono_literals::operator""s;

namespace belay::run {

using event::Outcome;

TEST_CASE("a node goes through build, copy, activate and finish") {
  Bench bench(fakes::make_plan(1));
  CHECK(bench.start() == Texts{"build node-0"});
  bench.clock.advance(2s);
  bench.finish("build node-0", result_of(0));
  CHECK(bench.start() == Texts{"copy node-0"});
  bench.finish("copy node-0", result_of(0));
  CHECK(bench.start() == Texts{"activate node-0"});
  bench.clock.advance(3s);
  bench.finish("activate node-0", activated(0));
  CHECK(bench.start() == Texts{"finish node-0"});
  CHECK_FALSE(bench.has_ended("node-0"));
  bench.clock.advance(10s);
  bench.finish("finish node-0", result_of(0));
  CHECK(bench.scheduler.done());
  const event::NodeFinished ended = bench.ended("node-0");
  CHECK(ended.outcome == Outcome::success);
  CHECK(ended.changed);
  CHECK(ended.generation_after == 42);
  CHECK(ended.duration == 5s); // to the verdict, not to the end of the wait for others
}

TEST_CASE("nothing is built before each host is known to be one that can be deployed to") {
  auto plan = fakes::make_plan(3);
  plan.policy.parallel = 2;
  Bench bench(std::move(plan));
  bench.surveys = true;
  CHECK(bench.start() == Texts{"survey node-0", "survey node-1"});
  bench.finish("survey node-1", result_of(1));
  CHECK(bench.start() == Texts{"survey node-2"});
  bench.finish("survey node-2", result_of(2));
  CHECK(bench.start().empty());
  CHECK(bench.scheduler.wake_at(bench.clock.now()) == std::nullopt); // however long it takes
  bench.clock.advance(60s);
  CHECK(bench.start().empty());
  SECTION("all are") {
    bench.finish("survey node-0", result_of(0));
    CHECK(bench.start() == Texts{"build node-0 node-1 node-2"});
  }
  SECTION("one is not: nothing is built for anybody") {
    bench.finish("survey node-0", result_of(0, Outcome::error, "agent-missing"));
    CHECK(bench.scheduler.done());
    CHECK(bench.verdicts() ==
          Texts{"error/agent-missing/none", "skipped/fail-fast/none", "skipped/fail-fast/none"});
  }
  SECTION("a cancel") {
    bench.scheduler.cancel(bench.clock.now());
    CHECK(bench.start().empty());
    bench.finish("survey node-0", result_of(0));
    CHECK(bench.scheduler.done());
    CHECK(bench.ended("node-0").outcome == Outcome::cancelled);
    CHECK(bench.ended("node-2").outcome == Outcome::cancelled);
  }
}

TEST_CASE("under continue a host that does not answer holds up the build of others for a while") {
  auto plan = fakes::make_plan(3);
  plan.policy.on_failure = plan::OnFailure::proceed;
  Bench bench(std::move(plan));
  bench.surveys = true;
  CHECK(bench.start().size() == 3);
  bench.finish("survey node-2", result_of(2));
  CHECK(bench.start().empty());
  const auto patient_until = bench.scheduler.wake_at(bench.clock.now());
  REQUIRE(patient_until == bench.clock.now() + 10s);
  bench.clock.set(*patient_until);
  CHECK(bench.scheduler.wake_at(bench.clock.now()) == std::nullopt); // never in the past
  CHECK(bench.start() == Texts{"build node-2"});
  bench.finish("survey node-0", result_of(0));
  bench.finish("survey node-1", result_of(1, Outcome::error, "unreachable"));
  CHECK(bench.start().empty()); // one build at a time
  bench.finish("build node-2", result_of(2));
  CHECK(bench.start() == Texts{"build node-0", "copy node-2"});
  CHECK(bench.ended("node-1").reason == "unreachable");
}

TEST_CASE("a plan without nodes is done at once") {
  Bench bench(fakes::make_plan(0));
  CHECK(bench.start().empty());
  CHECK(bench.scheduler.done());
}

TEST_CASE("limits hold, and `parallel` caps them") {
  auto plan = fakes::make_plan(6);
  plan.policy.limits.copy = 4;
  plan.policy.limits.activate = 2;
  SECTION("limits") {
    plan.policy.parallel = 8;
  }
  SECTION("parallel") {
    plan.policy.parallel = 3;
  }
  const std::size_t copies = plan.policy.parallel == 3 ? 3 : 4;
  Bench bench(std::move(plan));
  bench.start();
  bench.finish(
      "build node-0 node-1 node-2 node-3 node-4 node-5",
      {result_of(0), result_of(1), result_of(2), result_of(3), result_of(4), result_of(5)});
  CHECK(bench.start().size() == copies);
  bench.finish("copy node-0", result_of(0));
  CHECK(bench.start().size() == 1);
  bench.run_well(StepKind::activate);
  CHECK(bench.running.size() == 2);
  bench.finish("activate node-0", activated(0));
  CHECK(bench.start() == Texts{"activate node-2"});
}

TEST_CASE("under stop nobody is activated before all are copied to") {
  Bench bench(fakes::make_plan(2));
  bench.start();
  bench.finish("build node-0 node-1", {result_of(0), result_of(1)});
  bench.start();
  bench.finish("copy node-0", result_of(0));
  CHECK(bench.start().empty());
  SECTION("all copied") {
    bench.finish("copy node-1", result_of(1));
    CHECK(bench.start() == Texts{"activate node-0", "activate node-1"});
  }
  SECTION("one could not be reached") {
    bench.finish("copy node-1", result_of(1, Outcome::error, "unreachable"));
    CHECK(bench.start() == Texts{"finish node-0"}); // its target holds a lock for us
    bench.finish("finish node-0", result_of(0));
    CHECK(bench.scheduler.done());
    CHECK(bench.verdicts() == Texts{"skipped/fail-fast/none", "error/unreachable/none"});
  }
}

TEST_CASE("under continue each node goes on alone") {
  auto plan = fakes::make_plan(3);
  plan.policy.on_failure = plan::OnFailure::proceed;
  plan.policy.rollback_succeeded = false;
  Bench bench(std::move(plan));
  bench.start();
  bench.finish("build node-0 node-1 node-2",
               {result_of(0), result_of(1, Outcome::failure, "build-failed"), result_of(2)});
  CHECK(bench.start() == Texts{"copy node-0", "copy node-2"});
  bench.finish("copy node-0", result_of(0));
  CHECK(bench.start() == Texts{"activate node-0"});
  bench.finish("activate node-0", activated(0));
  CHECK(bench.start() == Texts{"finish node-0"}); // at once: nothing will take it back
  bench.finish("copy node-2", result_of(2, Outcome::error, "unreachable"));
  bench.finish("finish node-0", result_of(0));
  CHECK(bench.scheduler.done());
  CHECK(bench.verdicts() ==
        Texts{"success//none", "failure/build-failed/none", "error/unreachable/none"});
}

TEST_CASE("nodes that the plan skips or that did not evaluate") {
  auto plan = fakes::make_plan(3);
  plan.nodes[0].skip = true;
  plan.nodes[1].profiles.clear();
  plan.nodes[1].unevaluated_profiles = {"system", "home"};
  plan.nodes[1].evaluation_error = "attribute 'path' missing";
  SECTION("under stop the rest is left out") {
    Bench bench(std::move(plan));
    CHECK(bench.start().empty());
    CHECK(bench.scheduler.done());
    CHECK(bench.verdicts() == Texts{"skipped/skipped-by-plan/none",
                                    "failure/evaluation-failed/none", "skipped/fail-fast/none"});
    const auto evaluations =
        std::count_if(bench.sink.drafts.begin(), bench.sink.drafts.end(), [](const auto& draft) {
          const auto* ended = std::get_if<event::StageFinished>(&draft.payload);
          return ended && draft.subject.stage == event::Stage::evaluate &&
                 ended->outcome == Outcome::failure;
        });
    CHECK(evaluations == 2);
  }
  SECTION("under continue it goes on") {
    plan.policy.on_failure = plan::OnFailure::proceed;
    Bench bench(std::move(plan));
    CHECK(bench.start() == Texts{"build node-2"});
  }
}

TEST_CASE("a failing Finish is a warning and no verdict") {
  Bench bench(fakes::make_plan(1));
  bench.run_well(StepKind::finish);
  bench.finish("finish node-0", result_of(0, Outcome::error, "unreachable"));
  CHECK(bench.verdicts() == Texts{"success//none"});
  CHECK(std::any_of(bench.sink.drafts.begin(), bench.sink.drafts.end(), [](const auto& draft) {
    return std::holds_alternative<event::LogLine>(draft.payload) &&
           draft.level == event::Level::warn;
  }));
}

TEST_CASE("a step that forgets a node is an error, and state-unknown where it activated") {
  Bench bench(fakes::make_plan(1));
  SECTION("build") {
    bench.start();
    bench.finish("build node-0", std::vector<NodeResult>{});
    CHECK(bench.verdicts() == Texts{"error/internal/none"});
  }
  SECTION("activate") {
    bench.run_well(StepKind::activate);
    bench.finish("activate node-0", std::vector<NodeResult>{});
    CHECK(bench.verdicts() == Texts{"error/state-unknown/unknown"});
  }
}

TEST_CASE("stages that no step reached are told, unless the node is skipped") {
  auto plan = fakes::make_plan(2);
  plan.nodes[0].profiles[0].magic_rollback = false;
  Bench bench(std::move(plan));
  bench.start();
  bench.finish("build node-0 node-1",
               {result_of(0, Outcome::failure, "build-failed"), result_of(1)});
  CHECK(bench.scheduler.done());
  Texts told;
  for (const event::Draft& draft : bench.sink.drafts)
    if (const auto* ended = std::get_if<event::StageFinished>(&draft.payload))
      told.push_back(draft.subject.node + " " + draft.subject.profile + " " +
                     std::string(event::name_of(*draft.subject.stage)) + " " + ended->reason);
  CHECK(told == Texts{"node-0 system copy not-reached", "node-0 system lock not-reached",
                      "node-0 system activate not-reached", "node-0 system verify not-reached"});
}

namespace {

// 0.1 s in a Debug build on one core of a small machine; sanitizers make it ten times as slow.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr double budget_seconds = 10.0;
#else
constexpr double budget_seconds = 1.0;
#endif

} // namespace

TEST_CASE("a decision costs the same with ten thousand nodes") {
  const std::size_t count = 10'000;
  const std::clock_t before = std::clock();
  Bench bench(fakes::make_plan(count));
  std::size_t steps = 0;
  std::vector<Step> running;
  while (true) {
    while (auto step = bench.scheduler.next(bench.clock.now()))
      running.push_back(*step);
    if (running.empty())
      break;
    const Step step = running.back();
    running.pop_back();
    ++steps;
    StepResult result{step.id, {}, {}};
    for (const NodeIndex node : step.nodes)
      result.nodes.push_back(activated(node));
    if (step.kind == StepKind::activate && step.nodes.front() == count - 1)
      result.nodes.front() = activation_failed(step.nodes.front());
    bench.scheduler.finished(result, bench.clock.now());
  }
  CHECK(bench.scheduler.done());
  CHECK(steps > 2 * count);
  const double seconds = double(std::clock() - before) / CLOCKS_PER_SEC;
  CHECK(seconds < budget_seconds);
}

} // namespace belay::run
