// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runner/options_flags.h"

#include <string>

// Help is made from the tables of verbs, flags and exit codes, so it cannot tell of a flag that is
// not there.

namespace belay::runner {

/// `belay --help`
std::string help();
/// `belay VERB --help`
std::string help_of(Verb verb);
/// `belay 0.1.0` and a line feed.
std::string version_line();

} // namespace belay::runner
