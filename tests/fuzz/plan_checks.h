// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/diagnostic.h"
#include "engine/plan/plan.h"

// What holds of every plan and of every list of problems.

namespace belay::fuzz {

/// Each problem has a code and is one line that a terminal may show.
void check_problems(const plan::Diagnostics& problems);

/// Without errors the plan is written as JSON and read as the same plan; as a table and as TOML it
/// is written at least.
void check_plan(const plan::Plan& plan, const plan::Diagnostics& problems);

} // namespace belay::fuzz
