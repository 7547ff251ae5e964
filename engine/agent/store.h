// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

// The target's store, served as the user who runs the agent: for a login that may become him by
// sudo, and whom the target's Nix daemon does not trust (setting storeSudo). It is the agent that
// does it, so that sudo has to allow no other program and no shell.

namespace belay::agent {

/// Printed on stdout before the store's own protocol, which the client begins: who sent anything
/// earlier might give it to a sudo that asks for a password.
inline constexpr std::string_view store_greeting = R"({"belay-store":1})";

/// Greets and becomes `nix-daemon --stdio`, which is looked for in PATH and where installers put
/// it. Returns only where there is none: the exit status, with the reason on stderr.
int serve_store();

} // namespace belay::agent
