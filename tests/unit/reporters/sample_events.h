// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/run_state.h"

#include <initializer_list>

namespace belay::test {

/// An event with a number, a time and a message, as an emitter would make it.
event::Event sample(event::Payload payload, event::Subject subject = {}, std::string message = "",
                    std::uint64_t sequence = 1);

event::RunState folded(std::initializer_list<event::Event> events);

/// A plan of these nodes, each with a profile "system" of the usual stages.
event::PlanResolved plan_of(std::initializer_list<std::string> nodes);

event::StageFinished stage_end(event::Outcome outcome, std::string reason = "");
event::NodeFinished node_end(event::Outcome outcome, std::string reason = "");

} // namespace belay::test
