// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace belay::nix {

/// The store path that the target's daemon turned down in this error of `nix copy` because nobody
/// whom it trusts has signed it: it says so to users who are not in its trusted-users. nullopt for
/// any other error. Pure.
std::optional<std::string> lacks_signature(std::string_view error);

/// Whether this error of `nix copy` comes from another copy that brought the same path to the same
/// store at the same time: up to Nix 2.8 at least, the daemon then leaves what it was sent unread
/// and takes its beginning for the next request. Nothing is wrong with either copy. Pure.
bool met_another_copy(std::string_view error);

} // namespace belay::nix
