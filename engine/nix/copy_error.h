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

/// Whether this error, of `nix copy` or of the target's Nix, comes from somebody else who worked on
/// the same store at the same moment. Of two copies of one path one fails: up to Nix 2.8 at least,
/// the daemon then leaves what it was sent unread and takes its beginning for the next request. Of
/// several that are the first to use a store, each makes the same symlink and the same database
/// (seen with four of `nix-store --serve` at once: 3 in 100). Nothing is wrong with any. Pure.
bool met_another_copy(std::string_view error);

} // namespace belay::nix
