// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/exit_code.h"
#include "runner/options.h"

// `belay report --from EVENTS.jsonl`: the reports of a run that is over, made again from its event
// stream.

namespace belay::runner {

/// Shows the run on the console once more and writes what was asked for. Returns the exit code that
/// the events come to, as the run itself did; of a run that was killed, as far as it went. Throws
/// Error{usage | protocol | system}: the file cannot be read, is no event stream, the report cannot
/// be written.
event::ExitCode report_saved_run(const ReportOptions& options);

} // namespace belay::runner
