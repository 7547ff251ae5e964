// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/plan.h"

#include <nlohmann/json_fwd.hpp>

#include <string>

// A plan as JSON and back. What is read is believed in nothing: every field has to be there, with a
// value that a plan may have, and no other one, because a setting that is not understood would be a
// setting that is not obeyed.

namespace belay::plan {

/// Fields are always there, null stands for none. Bytes that are no UTF-8 become U+FFFD when it is
/// printed.
nlohmann::json to_json(const Plan& plan);

/// The plan that to_json made it of, but for what it leaves out: a literal URL of a webhook, and
/// lines of the plan file. Throws Error{invalid_plan} that names the field.
Plan plan_from_json(const nlohmann::json& value);

} // namespace belay::plan
