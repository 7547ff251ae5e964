// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace belay {

/// Nix's name for the system that this program was built for: "x86_64-linux".
std::string system_name();

} // namespace belay
