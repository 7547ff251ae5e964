// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/process.h"
#include "engine/base/store_path.h"
#include "engine/nix/log_follower.h"

#include <optional>
#include <set>
#include <span>
#include <string>
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

/// Everything in the store that needs `derivation`, itself included.
std::set<std::string> dependents(ProcessRunner& runner, const std::string& derivation,
                                 const Wait& wait);

/// The message of a failure with the tail of the derivation's log, once.
std::string with_log(const LogFollower::Failure& failure, const LogFollower& log);

} // namespace belay::nix
