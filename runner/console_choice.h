// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/plan.h"
#include "reporters/console.h"
#include "runner/ci_context.h"

namespace belay::runner {

/// How the console may look: live unless this is a CI job, the terminal says by TERM that it cannot
/// be drawn on (dumb, or nothing), it gets the events or the log, too, or progress is not wanted;
/// coloured unless NO_COLOR is set.
reporters::ConsoleOptions console_options(const plan::Reports& reports,
                                          const Environment& environment);

} // namespace belay::runner
