// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/event.h"

#include <functional>
#include <optional>
#include <string>

// Where this run was started from, as the CI system's environment tells it: who is named as the
// holder of a target's lock, and what run.started says of its trigger.

namespace belay::runner {

/// Reads a variable; nullopt where it is not set. A parameter, so that tests need no environment.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// The process's own environment.
std::optional<std::string> environment_variable(const std::string& name);

/// GitHub Actions, GitLab CI, Gitea and Forgejo Actions, Buildkite, Jenkins, CircleCI, Azure; else
/// "ci" where CI is set, else "manual".
event::RunStarted::Trigger detect_trigger(const Environment& environment);

/// The git revision that CI checked out; empty = not known.
std::string detect_revision(const Environment& environment);

} // namespace belay::runner
