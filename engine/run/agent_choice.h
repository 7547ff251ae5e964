// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/run/agent_finder.h"
#include "engine/run/node_link.h"

// Which agent goes over a connection. Mostly the runner's own; where it has none for the system
// that answers, that of the first closure of this login that brings one - from the runner's store
// before anything is copied, or from the target's where the closure was built there. Where nobody
// can have one, that is known before anything is built.

namespace belay::run {

/// Before the closures are built: asks the system, and fills in `connection`'s agent where the
/// runner has one for it, else `foreign`. Returns the system. Throws Error{agent_missing} where the
/// runner has none and no closure is made from anything that could be one.
std::string look_for_agent(AgentFinder& finder, const plan::Node& node,
                           WorkingConnection& connection, const Wait& wait);

/// When they are built: fills in the agent that a closure brings, where there is none yet. Leaves
/// it out where only a closure that is yet to be built there can have one. Throws
/// Error{agent_missing} where nobody has one.
void choose_agent(AgentFinder& finder, const plan::Node& node, WorkingConnection& connection,
                  const Wait& wait);

/// After `profile` was built on the target: its agent, if it brings one, as a file of its own
/// there.
void take_built_agent(const plan::Profile& profile, WorkingConnection& connection,
                      const Wait& wait);

} // namespace belay::run
