// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/run/executor.h"
#include "tests/fakes/fake_clock.h"
#include "tests/simulation/scenario.h"
#include "tests/simulation/sim_step.h"

#include <cstddef>
#include <deque>
#include <map>
#include <set>
#include <utility>

// The world that a scenario describes, as an executor: one thread, a clock that jumps to the next
// thing that happens. It throws when the loop waits for nothing, or wakes again and again without
// time passing: both are bugs that no event would show.

namespace belay::simulation {

class SimExecutor final : public run::Executor {
public:
  SimExecutor(const Scenario& scenario, fakes::FakeClock& clock);

  void start(const run::Step& step) override;
  void stop(run::Stop how) override;
  run::Occurrence wait(std::optional<Instant> wake_at) override;

private:
  using Entry = std::pair<Instant, run::StepId>;

  std::optional<Instant> next_at() const;
  run::Occurrence take_next();
  run::Occurrence time_out(Instant wake_at);

  const Scenario& scenario_;
  fakes::FakeClock& clock_;
  Random random_;
  std::map<run::StepId, SimStep> steps_;
  std::set<Entry> agenda_; ///< each running step once, at its next action
  std::deque<std::pair<Instant, int>> signals_;
  std::size_t idle_timers_ = 0, stale_timers_ = 0;
};

} // namespace belay::simulation
