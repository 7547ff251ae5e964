// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/target.h"

#include <string>
#include <vector>

// The function that `nix eval --apply` gives the flake's `deploy` attribute to, and which makes the
// JSON of plan/flake_output.h out of it. It touches known keys only, so that a flake may keep
// anything else beside them, and it forces nothing of nodes that are not selected but the names of
// their profiles. Each selected node is evaluated within a tryEval of its own. Values that JSON
// cannot hold, or that would be coerced to something else on the way, become {"__type": "lambda"},
// so that the plan can name what is wrong with them.

namespace belay::nix {

/// What is said of nodes that are not selected.
enum class Others {
  profile_names, ///< so that a misspelt one can be answered with the right one
  names_alone,   ///< nothing of them is forced
};

/// The whole expression. Names reach it as string literals, never as code. Throws Error{usage}
/// where the selection names more than fits on a command line.
std::string projection(const std::vector<plan::Target>& selection,
                       Others others = Others::profile_names);

/// Whether the selection leaves nodes out.
bool is_partial(const std::vector<plan::Target>& selection);

/// The same for one node, without tryEval: fails with the message that tryEval ate.
std::string failing_projection(const std::string& node, const std::vector<plan::Target>& selection);

} // namespace belay::nix
