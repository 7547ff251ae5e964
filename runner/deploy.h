// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runner/prepare.h"

#include <optional>
#include <string>
#include <vector>

// The last phase of a run: the prepared plan to its nodes. What it takes - connections, agents, the
// steps - is made here and lives as long as the frame, because steps may outlive the phase.

namespace belay::runner {

struct DeployOptions {
  std::vector<std::string> nix_arguments;   ///< for the build
  std::optional<std::string> result_folder; ///< links there keep what was built
  bool check_signatures = false;            ///< targets take only what is signed
};

/// Announces the nodes and works on them. Everything that happens is told; nothing is returned,
/// because the verdict is made from what was told.
void deploy(RunFrame& frame, Prepared prepared, DeployOptions options);

/// Announces the nodes and tells of each that it was not begun, because a person said no.
void decline(RunFrame& frame, const plan::Plan& plan);

} // namespace belay::runner
