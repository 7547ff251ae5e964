// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/exit_code.h"
#include "runner/options.h"

#include <iosfwd>

// `belay schema plan|events`

namespace belay::runner {

void print_schema(const SchemaOptions& options, std::ostream& out);

/// The verb: print_schema on stdout.
event::ExitCode show_schema(const SchemaOptions& options);

} // namespace belay::runner
