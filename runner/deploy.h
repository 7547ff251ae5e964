// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runner/prepare.h"

#include <string>
#include <vector>

// The last phase of a run: the prepared plan to its nodes. What it takes - connections, agents, the
// steps - is made here and lives as long as the frame, because steps may outlive the phase.

namespace belay::runner {

/// `nix_arguments` are for the build. Everything that happens is told; nothing is returned, because
/// the verdict is made from what was told.
void deploy(RunFrame& frame, Prepared prepared, std::vector<std::string> nix_arguments);

} // namespace belay::runner
