// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/plan.h"
#include "tests/simulation/random.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

// What a seed stands for: a plan, how much goes wrong in its world, when somebody sends a signal,
// and when the run's time is up.

namespace belay::simulation {

struct Signal {
  Duration after; ///< the run's start
  int number = 0;
};

struct Scenario {
  std::uint64_t seed = 0;
  plan::Plan plan;
  std::size_t trouble = 0; ///< percent of steps that go wrong
  std::vector<Signal> signals;
  std::optional<Duration> deadline; ///< after the run's start
};

Scenario draw_scenario(std::uint64_t seed);

} // namespace belay::simulation
