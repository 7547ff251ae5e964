// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runner/verb_plan.h"

#include <iosfwd>

// `belay check`: every problem of plan file and flake, and nothing else.

namespace belay::runner {

/// Problems, and a last line that says how many, on `err`.
event::ExitCode print_check(const MadePlan& made, std::ostream& err);

/// The verb: print_check on stderr.
event::ExitCode check_plan(const CheckOptions& options);

} // namespace belay::runner
