// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

// What a derivation says of itself, read from its file: its form (ATerm) has been the same in every
// Nix, while what `nix show-derivation` prints has not. It begins
// `Derive([OUTPUTS],[DERIVATIONS],[SOURCES],"SYSTEM",`; newer kinds have a word before the first
// list.

namespace belay::nix {

/// The system that a derivation is built on: "x86_64-linux", "builtin"; nullopt where `text` is no
/// derivation. It is not said what the result runs on: a cross-compiler's differs.
std::optional<std::string> system_in(std::string_view text);

} // namespace belay::nix
