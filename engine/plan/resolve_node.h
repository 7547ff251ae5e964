// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/resolve.h"

#include <optional>
#include <string>

// One node of the plan: its profiles in order, every setting resolved.

namespace belay::plan {

/// nullopt where it has no profiles, which is a warning. Problems name node, profile and key. A
/// node that the plan file skips has none: what is wrong with it is of no matter.
std::optional<Node> resolve_node(const ResolveInput& input, const FlakeOutput& flake,
                                 const std::string& name, const FlakeNode& node,
                                 Diagnostics& problems);

} // namespace belay::plan
