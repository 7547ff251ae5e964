// SPDX-License-Identifier: Apache-2.0
#pragma once

// The agent's version is the project's: the build defines it in one place.

namespace belay::agent {

extern const char* const version;

} // namespace belay::agent
