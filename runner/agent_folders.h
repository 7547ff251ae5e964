// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runner/ci_context.h"

#include <filesystem>
#include <string>
#include <vector>

// Where this runner's agents are: $BELAY_AGENT_DIR, else ../share/belay/agents beside the program's
// folder, else the program's own folder.

namespace belay::runner {

std::vector<std::filesystem::path> agent_folders(const Environment& environment);

} // namespace belay::runner
