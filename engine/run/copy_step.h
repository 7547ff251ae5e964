// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/nix/nix_store.h"
#include "engine/run/agent_finder.h"
#include "engine/run/node_link.h"
#include "engine/run/step_context.h"

// Copy: every closure is signed, where there is a key; the working connection is opened, what the
// target builds is built through it, every other closure and the agent go over it, then the agent
// is started and takes the target's lock, records what runs there and roots what came. Nothing on
// the target is changed by it but its store. The transaction stays open for the steps that follow.

namespace belay::run {

struct CopyTools {
  const Contact& contact;
  nix::NixStore& store;
  AgentFinder& agents;
  bool check_signatures = false; ///< also of what a login brings that the target's daemon trusts
};

/// Never throws: what went wrong is in the result and in the stage's event.
NodeResult copy_node(const CopyTools& tools, const plan::Node& node, NodeIndex index,
                     NodeLink& link, StepContext& context);

} // namespace belay::run
