// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

// The program as a function: arguments in, exit status out. The last of the three places where an
// Error is caught.

namespace belay::runner {

int run_program(const std::vector<std::string>& arguments);

} // namespace belay::runner
