// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/run/node_link.h"
#include "engine/run/step_context.h"

// Activate: the node's profiles in their order, each through activate, confirm and verify. The
// first that fails ends it, and those of this node that were confirmed before it are taken back.
// Rollback takes back a node that was confirmed because the run failed elsewhere; Finish tells the
// target that nothing will be taken back any more. None of these throws.

namespace belay::run {

NodeResult activate_node(const Contact& contact, const plan::Node& node, NodeIndex index,
                         NodeLink& link, StepContext& context);

NodeResult roll_back_node(const Contact& contact, const plan::Node& node, NodeIndex index,
                          NodeLink& link, StepContext& context);

NodeResult finish_node(const Contact& contact, const plan::Node& node, NodeIndex index,
                       NodeLink& link, StepContext& context);

} // namespace belay::run
