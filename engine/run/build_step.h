// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/nix/nix_store.h"
#include "engine/plan/plan.h"
#include "engine/run/step_context.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Build: everything that the nodes of the step need and their targets do not build, in one go. One
// process builds in parallel better than many would, and keeps going after a failure; the verdict
// per node is whether its own outputs are valid at the end.

namespace belay::run {

struct BuildTools {
  nix::NixStore& store;
  const std::vector<std::string>& nix_arguments;
  const std::optional<std::string>& result_folder; ///< where links keep what was built, if any
};

/// Throws what the store throws; a failed build is in the results.
std::vector<NodeResult> build_nodes(const BuildTools& tools, const plan::Plan& plan,
                                    const Step& step, StepContext& context);

/// FOLDER/NODE/PROFILE, as deploy-rs has it. Names are any text: one that would leave its folder,
/// or that no file may have, comes with `/`, `%` and control characters as %XX.
std::filesystem::path result_link(const std::filesystem::path& folder, std::string_view node,
                                  std::string_view profile);

} // namespace belay::run
