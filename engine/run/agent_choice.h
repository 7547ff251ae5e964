// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/run/agent_finder.h"
#include "engine/run/node_link.h"

// Which agent goes over a connection. Mostly the runner's own; where it has none for the system
// that answers, that of the first closure of this login that brings one - from the runner's store
// before anything is copied, or from the target's where the closure was built there.

namespace belay::run {

/// Fills in `connection`'s agent, and `foreign` where it is not the runner's own. Leaves the agent
/// out where only a closure that is yet to be built there can have one. Throws Error{agent_missing}
/// where nobody has one.
void choose_agent(AgentFinder& finder, const plan::Node& node, WorkingConnection& connection,
                  const Wait& wait);

/// After `profile` was built on the target: its agent, if it brings one, as a file of its own
/// there.
void take_built_agent(const plan::Profile& profile, WorkingConnection& connection,
                      const Wait& wait);

} // namespace belay::run
