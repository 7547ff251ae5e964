// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

// deploy-rs's target syntax: FLAKE[#NODE[.PROFILE]], split at the first `#`; the fragment is Nix
// attribute syntax, so parts with dots or blanks are quoted: .#"web.example.com".system

namespace belay::plan {

struct Target {
  std::string flake = ".";
  std::optional<std::string> node;
  std::optional<std::string> profile;
};

/// Throws Error{usage} that names the target and says what is wrong with it.
Target parse_target(std::string_view text);

/// One attribute name as Nix writes it: bare where it is an identifier, else quoted and escaped
/// (`"`, `\`, `${`, line breaks). Safe to put into a Nix expression.
std::string nix_attribute(std::string_view name);
/// A Nix string literal of any text without NUL.
std::string nix_string(std::string_view text);

} // namespace belay::plan
