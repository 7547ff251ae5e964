// SPDX-License-Identifier: Apache-2.0
#include "engine/event/run_state.h"
#include "engine/run/announcement.h"
#include "engine/run/loop.h"
#include "tests/catch.h"
#include "tests/simulation/checker.h"
#include "tests/simulation/sim_executor.h"

#include <cstdlib>
#include <iostream>
#include <map>
#include <string>

// Thousands of runs in a world made from a seed, each held to every rule. A seed that fails is
// printed; BELAY_SIMULATION_SEED=SEED runs it alone, with its events, BELAY_SIMULATION_SEEDS=N more
// of them than usual.

namespace belay::simulation {

namespace {

constexpr std::uint64_t usual_seeds = 2'000;

/// FNV-1a over what events say.
class Hash {
public:
  void add(std::string_view text) {
    for (const char byte : text)
      value_ = (value_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
    value_ = (value_ ^ 0xffU) * 0x100000001b3U;
  }
  std::uint64_t value() const { return value_; }

private:
  std::uint64_t value_ = 0xcbf29ce484222325U;
};

/// Everybody who listens to a simulated run.
class Listeners final : public event::Sink {
public:
  Listeners(const Scenario& scenario, const Clock& clock, bool print)
      : checker(scenario.plan, scenario.deadline ? std::optional(clock.wall() + *scenario.deadline)
                                                 : std::nullopt),
        print_(print) {}

  void on_event(const event::Event& event) override {
    checker.on_event(event);
    event::fold(state, event);
    hash.add(event::type_of(event.payload));
    hash.add(std::to_string(event.time.time_since_epoch().count()));
    hash.add(event.subject.node);
    hash.add(event.message);
    if (print_)
      std::cout << event.sequence << ' ' << event.time.time_since_epoch().count() % 100'000'000
                << ' ' << event::type_of(event.payload) << ' ' << event.subject.node << ' '
                << event.subject.profile << ' ' << event.message << '\n';
  }

  Checker checker;
  event::RunState state;
  Hash hash;

private:
  bool print_;
};

struct Ran {
  std::uint64_t hash = 0;
  std::vector<std::string> violations;
  std::uint64_t events = 0;
  bool left = false;
  std::string ended_as; ///< the reason of run.finished
};

void tell(event::Emitter& emitter, event::Payload payload) {
  emitter.emit({std::move(payload), {}, event::Level::info, {}});
}

void tell_end(event::Emitter& emitter, const event::RunState& state) {
  const event::Verdict verdict = event::judge(state);
  event::RunFinished finished;
  finished.outcome = verdict.outcome;
  finished.exit_code = verdict.exit_code;
  finished.reason = verdict.reason;
  finished.counts = verdict.counts;
  finished.nodes = verdict.nodes;
  tell(emitter, std::move(finished));
}

Ran run_seed(std::uint64_t seed, bool print = false) {
  const Scenario scenario = draw_scenario(seed);
  fakes::FakeClock clock;
  Listeners listeners(scenario, clock, print);
  const Instant deadline = scenario.deadline ? clock.now() + *scenario.deadline : Instant::max();
  event::Emitter emitter("00000000-0000-7000-8000-000000000000", clock, listeners);
  event::RunStarted started;
  started.command = "run";
  tell(emitter, std::move(started));
  tell(emitter, run::announce(scenario.plan));
  Ran ran;
  try {
    SimExecutor executor(scenario, clock);
    run::EmittingSink sink(emitter);
    run::Scheduler scheduler(scenario.plan, clock.now(), sink);
    ran.left = run::run_loop(scenario.plan, scheduler, executor, emitter, clock, deadline).left;
    tell_end(emitter, listeners.state);
    listeners.checker.close(ran.left);
    ran.violations = listeners.checker.violations();
  } catch (const std::exception& error) {
    ran.violations = listeners.checker.violations();
    ran.violations.push_back(std::string("thrown: ") + error.what());
  }
  ran.hash = listeners.hash.value();
  ran.ended_as = event::judge(listeners.state).reason;
  return ran;
}

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void check(std::uint64_t seed, const Ran& ran) {
  if (ran.violations.empty())
    return;
  std::string all = "replay with BELAY_SIMULATION_SEED=" + std::to_string(seed);
  for (std::size_t i = 0; i < ran.violations.size() && i < 5; ++i)
    all += "\n  " + ran.violations[i];
  FAIL_CHECK(all);
}

/// The draw must reach every corner, or the rules hold for want of trouble.
void check_corners(const std::map<std::string, int>& ends) {
  for (const char* end : {"ok", "failed", "rolled-back", "state-unknown", "interrupted",
                          "terminated", "left", "unreachable", "build", "evaluation", "deadline"}) {
    INFO(end);
    CHECK(ends.contains(end));
  }
}

/// The seeds are dealt to several test cases, which may run at once.
constexpr std::uint64_t parts = 4;

void run_part(std::uint64_t part) {
  if (std::getenv("BELAY_SIMULATION_SEED") != nullptr) {
    const std::uint64_t seed = number_from("BELAY_SIMULATION_SEED", 0);
    if (seed % parts == part)
      check(seed, run_seed(seed, true));
    return;
  }
  const std::uint64_t seeds = number_from("BELAY_SIMULATION_SEEDS", usual_seeds);
  std::map<std::string, int> ends;
  int failures = 0;
  for (std::uint64_t seed = part; seed < seeds && failures < 5; seed += parts) {
    const Ran ran = run_seed(seed);
    check(seed, ran);
    failures += ran.violations.empty() ? 0 : 1;
    ++ends[ran.left ? "left" : ran.ended_as];
  }
  if (failures == 0)
    check_corners(ends);
}

} // namespace

TEST_CASE("every rule holds in 2,000 drawn runs, part 1") {
  run_part(0);
}
TEST_CASE("every rule holds in 2,000 drawn runs, part 2") {
  run_part(1);
}
TEST_CASE("every rule holds in 2,000 drawn runs, part 3") {
  run_part(2);
}
TEST_CASE("every rule holds in 2,000 drawn runs, part 4") {
  run_part(3);
}

TEST_CASE("the same seed is the same run") {
  for (std::uint64_t seed = 0; seed < 100; ++seed)
    CHECK(run_seed(seed).hash == run_seed(seed).hash);
  CHECK(run_seed(1).hash != run_seed(2).hash);
}

} // namespace belay::simulation
