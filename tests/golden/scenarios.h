// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/event.h"

#include <functional>
#include <string>
#include <vector>

// Runs as they happen, told through a real Emitter with a clock that only moves when told to. The
// golden tests render them; other tests take single events from them.

namespace belay::golden {

struct Scenario {
  std::string name; ///< its folder under tests/golden
  std::function<std::vector<event::Event>()> events;
};

const std::vector<Scenario>& scenarios();

} // namespace belay::golden
