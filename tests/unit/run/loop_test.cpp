// SPDX-License-Identifier: Apache-2.0
#include "engine/run/loop.h"

#include "tests/catch.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/plans.h"

#include <csignal>
#include <deque>
#include <string>
#include <utility>
#include <vector>

using std::chrono_literals::operator""s;

namespace belay::run {

namespace {

/// An executor whose occurrences a test has written down; once they are used up, time passes.
class ScriptedExecutor final : public Executor {
public:
  explicit ScriptedExecutor(fakes::FakeClock& clock) : clock_(clock) {}

  void start(const Step& step) override { started.push_back(step); }
  void stop(Stop how) override { stops.push_back(how); }
  Occurrence wait(std::optional<Instant> wake_at) override {
    if (!script.empty()) {
      Occurrence next = std::move(script.front());
      script.pop_front();
      note(next);
      return next;
    }
    REQUIRE(wake_at);
    if (left_)
      return Timer{};
    REQUIRE(*wake_at > clock_.now());
    waited_for.push_back(*wake_at - clock_.now());
    clock_.set(*wake_at);
    const Occurrence next =
        waited_for.size() < 5 ? Occurrence(Timer{}) : Occurrence(Interrupt{SIGINT});
    note(next);
    return next;
  }

  std::deque<Occurrence> script;
  std::vector<Step> started;
  std::vector<Stop> stops;
  std::vector<Duration> waited_for;

private:
  /// After a second signal the loop only takes what is there already.
  void note(const Occurrence& next) {
    interrupts_ += std::holds_alternative<Interrupt>(next) ? 1 : 0;
    left_ = interrupts_ > 1;
  }

  fakes::FakeClock& clock_;
  int interrupts_ = 0;
  bool left_ = false;
};

struct Events final : event::Sink {
  void on_event(const event::Event& event) override { all.push_back(event); }
  template <class Payload> std::vector<Payload> of() const {
    std::vector<Payload> found;
    for (const event::Event& event : all)
      if (const auto* payload = std::get_if<Payload>(&event.payload))
        found.push_back(*payload);
    return found;
  }
  std::vector<event::Event> all;
};

struct World {
  fakes::FakeClock clock;
  Events events;
  event::Emitter emitter{"run", clock, events};
  EmittingSink sink{emitter};
  ScriptedExecutor executor{clock};
};

StepResult well(StepId id) {
  return {id, {NodeResult{}}, {}};
}

} // namespace

TEST_CASE("the loop runs a plan to its end") {
  World world;
  const auto plan = fakes::make_plan(1);
  Scheduler scheduler(plan, world.clock.now(), world.sink);
  for (StepId id = 1; id <= 5; ++id)
    world.executor.script.emplace_back(well(id));
  const LoopEnd end = run_loop(plan, scheduler, world.executor, world.emitter, world.clock);
  CHECK(end.signal == 0);
  CHECK_FALSE(end.left);
  CHECK(world.executor.started.size() == 5);
  CHECK(world.events.of<event::NodeFinished>().size() == 1);
}

TEST_CASE("a first signal is told, stops the work and, when the grace is over, abandons") {
  World world;
  const auto plan = fakes::make_plan(1);
  Scheduler scheduler(plan, world.clock.now(), world.sink);
  world.executor.script = {well(1), well(2), well(3), Interrupt{SIGTERM}};
  const LoopEnd end = run_loop(plan, scheduler, world.executor, world.emitter, world.clock);
  CHECK(end.signal == SIGTERM);
  CHECK(end.left); // the script's last word is a second signal
  CHECK(world.executor.stops == std::vector<Stop>{Stop::work, Stop::abandon});
  CHECK(world.executor.waited_for.at(0) == 5s);
  CHECK(world.executor.waited_for.at(1) == 25s); // to the heartbeat: nothing else is due any more
  const auto cancels = world.events.of<event::CancelRequested>();
  REQUIRE(cancels.size() == 1);
  CHECK(cancels[0].signal == "SIGTERM");
  CHECK(cancels[0].policy == "grace 6 s");
}

TEST_CASE("a second signal leaves at once") {
  World world;
  const auto plan = fakes::make_plan(1);
  Scheduler scheduler(plan, world.clock.now(), world.sink);
  world.executor.script = {Interrupt{SIGINT}, Interrupt{SIGTERM}, well(1)};
  const LoopEnd end = run_loop(plan, scheduler, world.executor, world.emitter, world.clock);
  CHECK(end.signal == SIGINT);
  CHECK(end.left);
  CHECK(world.executor.script.empty()); // what has already happened is still taken
  CHECK(world.executor.waited_for.empty());
}

TEST_CASE("when the deadline passes nothing new begins, and what activates has the grace") {
  World world;
  const auto plan = fakes::make_plan(2);
  Scheduler scheduler(plan, world.clock.now(), world.sink);
  world.executor.script = {StepResult{1, {NodeResult{0}, NodeResult{1}}, {}}};
  const LoopEnd end = run_loop(plan, scheduler, world.executor, world.emitter, world.clock,
                               world.clock.now() + 10s);
  CHECK(end.expired);
  CHECK(world.executor.waited_for.at(0) == 10s);
  CHECK(world.executor.waited_for.at(1) == 5s);
  CHECK(world.executor.stops.at(0) == Stop::work);
  CHECK(world.executor.stops.at(1) == Stop::abandon);
  const auto cancels = world.events.of<event::CancelRequested>();
  REQUIRE(cancels.size() == 2);
  CHECK(cancels[0].source == "timeout");
  CHECK(cancels[0].signal.empty());
  CHECK(cancels[0].policy == "grace 6 s");
  CHECK(cancels[1].source ==
        "signal"); // the script's last word; a signal after it is the first one
  CHECK(end.signal == SIGINT);
  CHECK(world.executor.started.size() == 2); // build, and the first copy
}

TEST_CASE("a deadline that has passed before there is a step lets none begin") {
  World world;
  const auto plan = fakes::make_plan(2);
  Scheduler scheduler(plan, world.clock.now(), world.sink);
  const LoopEnd end =
      run_loop(plan, scheduler, world.executor, world.emitter, world.clock, world.clock.now());
  CHECK(end.expired);
  CHECK(world.executor.started.empty());
  const auto ended = world.events.of<event::NodeFinished>();
  REQUIRE(ended.size() == 2);
  CHECK(ended[0].outcome == event::Outcome::cancelled);
}

TEST_CASE("a single step is stopped by the deadline, and awaited") {
  World world;
  const auto deadline = world.clock.now() + 7s;
  world.executor.script = {};
  const auto end = run_single_step(Step{9, StepKind::evaluate, {}}, world.executor, world.emitter,
                                   world.clock, deadline);
  CHECK(end.expired);
  CHECK(end.stopped());
  CHECK(world.executor.waited_for.at(0) == 7s);
  CHECK(world.executor.waited_for.at(1) == 23s); // to the heartbeat: it is told once
  CHECK(world.executor.stops == std::vector<Stop>{Stop::work, Stop::work});
  CHECK(world.events.of<event::CancelRequested>().at(0).source == "timeout");
}

TEST_CASE("a heartbeat names who is being worked on") {
  World world;
  const auto plan = fakes::make_plan(1);
  Scheduler scheduler(plan, world.clock.now(), world.sink);
  run_loop(plan, scheduler, world.executor, world.emitter, world.clock);
  const auto beats = world.events.of<event::Heartbeat>();
  REQUIRE(beats.size() >= 3);
  CHECK(beats[0].running == std::vector<std::string>{"node-0"});
  CHECK(world.executor.waited_for.at(0) == 30s);
  CHECK(world.executor.waited_for.at(1) == 30s);
}

TEST_CASE("one step outside of a scheduler") {
  World world;
  const Step evaluate{1, StepKind::evaluate, {}};
  const auto run = [&] {
    return run_single_step(evaluate, world.executor, world.emitter, world.clock);
  };
  SECTION("ends") {
    event::LogLine line;
    line.text = "warning";
    world.executor.script = {StepOutput{1, {line, {}, event::Level::info, {}}},
                             StepResult{1, {}, "evaluation failed"}};
    const SingleStepEnd end = run();
    CHECK(end.result.error == "evaluation failed");
    CHECK(end.signal == 0);
    CHECK(world.events.of<event::LogLine>().size() == 1);
  }
  SECTION("is stopped by a signal, and awaited") {
    world.executor.script = {Interrupt{SIGTERM}, StepResult{1, {}, "cancelled"}};
    const SingleStepEnd end = run();
    CHECK(end.signal == SIGTERM);
    CHECK_FALSE(end.left);
    CHECK(end.result.error == "cancelled");
    CHECK(world.executor.stops == std::vector<Stop>{Stop::work});
    CHECK(world.events.of<event::CancelRequested>().size() == 1);
  }
  SECTION("is left at a second one") {
    world.executor.script = {Interrupt{SIGTERM}, Interrupt{SIGINT}};
    CHECK(run().left);
  }
}

} // namespace belay::run
