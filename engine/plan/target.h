// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

// deploy-rs's target syntax: FLAKE[#NODE[.PROFILE]], split at the first `#`; the fragment is Nix
// attribute syntax, so parts with dots or blanks are quoted: .#"web.example.com".system. Beside
// `--file` there is no flake to name, and the fragment stands alone.

namespace belay::plan {

/// What a target's first part names.
enum class SourceKind {
  flake,
  file, ///< `--file`: a file, or a folder with a default.nix, that is imported
};

struct Target {
  std::string flake = "."; ///< or the file
  std::optional<std::string> node;
  std::optional<std::string> profile;
};

/// Throws Error{usage} that names the target and says what is wrong with it.
Target parse_target(std::string_view text);
/// The same beside `--file`, where it is NODE[.PROFILE], or "." for everything.
Target parse_file_target(const std::string& file, std::string_view text);

/// One attribute name as Nix writes it: bare where it is an identifier, else quoted and escaped
/// (`"`, `\`, `${`, line breaks). Safe to put into a Nix expression.
std::string nix_attribute(std::string_view name);
/// A Nix string literal of any text without NUL.
std::string nix_string(std::string_view text);

} // namespace belay::plan
