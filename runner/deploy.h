// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runner/prepare.h"

#include <string>
#include <vector>

// The last phase of a run: the prepared plan to its nodes. What it takes - connections, agents, the
// steps - is made here and lives as long as the frame, because steps may outlive the phase.

namespace belay::runner {

/// Announces the nodes and works on them. `nix_arguments` are for the build. Everything that
/// happens is told; nothing is returned, because the verdict is made from what was told.
void deploy(RunFrame& frame, Prepared prepared, std::vector<std::string> nix_arguments);

/// Announces the nodes and tells of each that it was not begun, because a person said no.
void decline(RunFrame& frame, const plan::Plan& plan);

} // namespace belay::runner
