// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/unit/steps/step_harness.h"

#include <string>
#include <variant>

// What the tests of an activation say of the one host of a StepHarness, and ask it.

namespace belay::tests {

/// The closure that this profile of the target leads to; empty = none.
inline std::string current(StepHarness& harness, const std::string& profile = "system") {
  const auto& generations = harness.host().generations[profile];
  return generations.empty() ? "" : generations.back();
}

/// What the new generation does when it is activated.
inline void script(StepHarness& harness, const fakes::Script& script,
                   const std::string& profile = "system") {
  harness.world.scripts[StepHarness::new_closure(profile)] = script;
}

/// What was told of the target's own log.
inline std::string agent_logs(const StepHarness& harness) {
  std::string text;
  for (const auto& draft : harness.told) {
    const auto* log = std::get_if<event::LogLine>(&draft.payload);
    text += log != nullptr && log->stream == "agent-log" ? log->text : "";
  }
  return text;
}

} // namespace belay::tests
