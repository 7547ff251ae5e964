// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runner/plan_source.h"
#include "runner/run_frame.h"

#include <vector>

// `nix flake check` before anything is built, as deploy-rs does it unless --skip-checks is given:
// once for each flake that the targets name. It comes after the evaluation of the plan, which takes
// seconds and finds most mistakes, and before the nodes are announced: a run that ends here has
// touched nothing and says nothing of nodes.

namespace belay::runner {

/// All of them in turn, in a worker, also after one that failed. False where the run ends here: why
/// was told.
bool check_flakes(RunFrame& frame, const std::vector<nix::EvaluateRequest>& requests);

} // namespace belay::runner
