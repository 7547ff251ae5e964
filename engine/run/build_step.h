// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/nix/nix_store.h"
#include "engine/plan/plan.h"
#include "engine/run/step_context.h"

#include <string>
#include <vector>

// Build: everything that the nodes of the step need and their targets do not build, in one go. One
// process builds in parallel better than many would, and keeps going after a failure; the verdict
// per node is whether its own outputs are valid at the end.

namespace belay::run {

/// Throws what the store throws; a failed build is in the results.
std::vector<NodeResult> build_nodes(nix::NixStore& store, const plan::Plan& plan, const Step& step,
                                    const std::vector<std::string>& nix_arguments,
                                    StepContext& context);

} // namespace belay::run
