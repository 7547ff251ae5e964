// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace belay::runner {

/// Of this program: "0.1.0". CMake's project() is where it is set.
inline constexpr std::string_view version = BELAY_VERSION;

} // namespace belay::runner
