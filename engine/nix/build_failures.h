// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/process.h"
#include "engine/base/store_path.h"
#include "engine/nix/log_follower.h"

#include <optional>
#include <span>
#include <vector>

namespace belay::nix {

struct BuildFailure {
  std::string derivation;
  std::string message; ///< Nix's message and the tail of the derivation's log
};

/// `ended_by`: what ended all builds at once, where something did ("no space left on device").
/// For each of `goals` (derivations whose output is not valid): the first failure in its own
/// closure; nullopt where the log knows of none, that is where the goal was not tried at all.
std::vector<std::optional<BuildFailure>> failures_of(ProcessRunner& runner,
                                                     std::span<const StorePath> goals,
                                                     const LogFollower& log,
                                                     const std::string& ended_by, const Wait& wait);

} // namespace belay::nix
