// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runner/ci_context.h"

#include <optional>
#include <string>

// Secrets come from an environment variable or a file, never from the plan file itself.

namespace belay::runner {

/// The value of `variable`, else the content of `file`, without the white space around it; nullopt
/// where neither is named. Throws Error{secret} that names the variable or file, never a value.
std::optional<std::string> fetch_secret(const std::optional<std::string>& variable,
                                        const std::optional<std::string>& file,
                                        const Environment& environment);

} // namespace belay::runner
