// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace belay::nix {

/// What `LOCAL_KEY` names is looked at before anything is built, and by us: some releases of Nix
/// only say that a key "is corrupt". Throws Error{sign_failed} where the file cannot be read or
/// holds no secret key; the message has nothing of what it holds.
void check_signing_key(const std::string& file);

} // namespace belay::nix
