// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runner/options_flags.h"

#include <optional>
#include <span>
#include <string>

// Which flags go together: what no single flag's value can tell.

namespace belay::runner {

/// What the command line has, apart from values.
struct GivenFlags {
  std::span<const Flag* const> flags;
  bool targets = false; ///< TARGET arguments
};

/// What is wrong with flags that are good each by itself.
std::optional<std::string> check_together(const GivenFlags& given, const OptionsDraft& draft);

} // namespace belay::runner
