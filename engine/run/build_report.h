// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/event.h"
#include "engine/nix/nix_store.h"

#include <string>

namespace belay::run {

/// What is told of a build, wherever it was; the caller says where. Pure.
event::BuildFinished build_finished(const nix::BuildGoal& goal, const nix::BuildResult& result);

/// The one line that says why a build failed; the rest is for a log.
std::string first_line_of(const std::string& error);

} // namespace belay::run
