// SPDX-License-Identifier: Apache-2.0
#include "engine/run/announcement.h"
#include "engine/run/loop.h"
#include "runner/run_reports.h"
#include "tests/fakes/plans.h"
#include "tests/simulation/sim_executor.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/resource.h>
#include <utility>

// What belay itself costs for a run of N nodes: the real loop, scheduler and reports, in a world
// that is simulated and in which time costs nothing.
//
//   simulation_bench NODES FOLDER     the reports go into FOLDER, the console to stderr
//
// Prints CPU seconds and peak memory of the run, and beside them the floor: the same loop,
// scheduler and world with nobody who listens.

namespace belay::bench {

namespace {

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

simulation::Scenario scenario_of(std::size_t nodes) {
  simulation::Scenario scenario;
  scenario.seed = 1;
  scenario.plan = fakes::make_plan(nodes);
  scenario.plan.policy.parallel = 64;
  scenario.plan.policy.limits = {.copy = 32, .activate = 64};
  return scenario;
}

void run(const simulation::Scenario& scenario, event::Emitter& emitter, fakes::FakeClock& clock) {
  emitter.emit({run::announce(scenario.plan), {}, event::Level::info, {}});
  simulation::SimExecutor executor(scenario, clock);
  run::EmittingSink sink(emitter);
  run::Scheduler scheduler(scenario.plan, clock.now(), sink);
  run::run_loop(scenario.plan, scheduler, executor, emitter, clock);
}

struct Nobody final : event::Sink {
  void on_event(const event::Event&) override { ++events; }
  std::size_t events = 0;
};

std::size_t run_alone(const simulation::Scenario& scenario) {
  fakes::FakeClock clock;
  Nobody nobody;
  event::Emitter emitter("00000000-0000-7000-8000-000000000000", clock, nobody);
  run(scenario, emitter, clock);
  return nobody.events;
}

event::ExitCode run_reported(const simulation::Scenario& scenario, const std::string& folder) {
  fakes::FakeClock clock;
  runner::RunReports reports({.events = folder + "/events.jsonl", .junit = folder + "/junit.xml"},
                             {}, {}, clock, [](const event::Draft&) {});
  event::RunStarted started;
  started.command = "run";
  reports.emit(std::move(started));
  run(scenario, reports.emitter(), clock);
  reports.tell_end();
  reports.finish();
  return reports.exit_code();
}

int compare(std::size_t nodes, const std::string& folder) {
  const auto scenario = scenario_of(nodes);
  const auto events = run_alone(scenario);
  const double alone = cpu_seconds();
  const auto code = run_reported(scenario, folder);
  std::printf("simulated run, %zu nodes, %zu events: cpu %.2f s, peak memory %.0f MB"
              "   (floor, nobody listens: cpu %.2f s)\n",
              nodes, events, cpu_seconds() - alone, peak_megabytes(), alone);
  return code == event::ExitCode::ok ? 0 : 1;
}

} // namespace

} // namespace belay::bench

int main(int argument_count, char** arguments) {
  if (argument_count != 3) {
    std::fprintf(stderr, "simulation_bench NODES FOLDER\n");
    return 2;
  }
  try {
    return belay::bench::compare(std::strtoul(arguments[1], nullptr, 10), arguments[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "simulation_bench: %s\n", error.what());
    return 1;
  }
}
