// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/exit_code.h"
#include "runner/options.h"
#include "runner/signals.h"

// `belay run`: reports opened, plan loaded, flake evaluated, nodes deployed, verdict told.

namespace belay::runner {

/// Returns when everything is decided and reported. A second signal ends the process from in here,
/// after the reports are written. Throws Error{usage | secret} before anything has happened.
event::ExitCode run_deploy(const RunOptions& options, SignalWatch& signals);

} // namespace belay::runner
