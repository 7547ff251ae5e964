// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/scenario.h"

#include "tests/fakes/plans.h"

#include <algorithm>
#include <csignal>
#include <string>
#include <utility>

namespace belay::simulation {

namespace {

plan::Policy draw_policy(Random& random) {
  plan::Policy policy;
  const bool stop = !random.one_in(3);
  policy.on_failure = stop ? plan::OnFailure::stop : plan::OnFailure::proceed;
  policy.rollback_succeeded = stop != random.one_in(4);
  policy.parallel = static_cast<int>(1 + random.below(10));
  policy.limits.copy = static_cast<int>(1 + random.below(6));
  policy.limits.build = static_cast<int>(1 + random.below(6));
  policy.limits.activate = static_cast<int>(1 + random.below(10));
  policy.grace = plan::Seconds(static_cast<plan::Seconds::rep>(random.below(10)));
  return policy;
}

plan::Node draw_node(Random& random, std::size_t index, std::size_t trouble) {
  plan::Node node = fakes::make_node("node-" + std::to_string(index), 1 + random.below(3));
  const bool builds_there = random.one_in(4);
  for (plan::Profile& profile : node.profiles) {
    profile.remote_build = builds_there && !random.one_in(3);
    profile.magic_rollback = !random.one_in(6);
    profile.auto_rollback = !random.one_in(8);
  }
  node.skip = random.one_in(25);
  if (trouble == 0 || !random.one_in(40))
    return node;
  node.evaluation_error = "attribute 'path' missing";
  for (const plan::Profile& profile : std::exchange(node.profiles, {}))
    if (!random.one_in(3))
      node.unevaluated_profiles.push_back(profile.name);
  return node;
}

std::vector<Signal> draw_signals(Random& random) {
  std::vector<Signal> signals;
  if (random.one_in(2))
    return signals;
  // Some at the very start, some in the middle, some when most is over.
  const Duration horizon = std::chrono::seconds(random.one_in(4) ? 2 : 90);
  signals.push_back({random.up_to(horizon), random.one_in(2) ? SIGINT : SIGTERM});
  if (random.one_in(5))
    signals.push_back({signals[0].after + random.up_to(std::chrono::seconds(8)), SIGINT});
  return signals;
}

std::optional<Duration> draw_deadline(Random& random) {
  if (!random.one_in(4))
    return std::nullopt;
  return random.up_to(std::chrono::seconds(random.one_in(4) ? 2 : 60));
}

} // namespace

Scenario draw_scenario(std::uint64_t seed) {
  Random random(seed);
  Scenario scenario;
  scenario.seed = seed;
  scenario.trouble = random.one_in(3) ? 0 : (random.one_in(2) ? 3 : 25);
  const std::size_t count = 1 + random.below(random.one_in(4) ? 40 : 8);
  for (std::size_t i = 0; i < count; ++i)
    scenario.plan.nodes.push_back(draw_node(random, i, scenario.trouble));
  scenario.plan.policy = draw_policy(random);
  scenario.signals = draw_signals(random);
  scenario.deadline = draw_deadline(random);
  return scenario;
}

} // namespace belay::simulation
