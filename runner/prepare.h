// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runner/plan_source.h"
#include "runner/run_frame.h"
#include "runner/sudo_passwords.h"

#include <optional>
#include <string>

// The first phase of a run: from a source of a plan to one that can be deployed, with everything
// told on the way. No host is touched.

namespace belay::runner {

struct Prepared {
  plan::Plan plan;
  run::Passwords passwords;
};

/// Makes the plan, tells the evaluation's end and every problem, fetches passwords and has the
/// flakes of `checks` checked (none: --skip-checks). nullopt where the run ends here: why was told.
/// `source` outlives the frame.
std::optional<Prepared> prepare(RunFrame& frame, PlanSource& source, const SudoPasswords& passwords,
                                const std::vector<nix::EvaluateRequest>& checks);

} // namespace belay::runner
