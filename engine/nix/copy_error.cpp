// SPDX-License-Identifier: Apache-2.0
#include "engine/nix/copy_error.h"

#include "engine/base/text.h"

namespace belay::nix {

std::optional<std::string> lacks_signature(std::string_view text) {
  const auto error = strip_ansi(text); // Nix sets paths off by colour, also where nobody looks
  // "… a valid signature" up to Nix 2.13, "… a signature by a trusted key" since.
  constexpr std::string_view before = "cannot add path '", after = "' because it lacks a ";
  const auto end = error.find(after);
  const auto start = end == std::string::npos ? std::string::npos : error.rfind(before, end);
  if (start == std::string::npos) {
    return std::nullopt;
  }
  return error.substr(start + before.size(), end - start - before.size());
}

bool met_another_copy(std::string_view text) {
  const auto error = strip_ansi(text);
  const auto says = [&](std::string_view words) { return error.find(words) != std::string::npos; };
  return says("not an absolute path: 'nix-archive-1'") ||
         (says("SQLite database '") && says("' is busy")) || says("db/schema' is corrupt") ||
         (says("creating symlink from '") && says("gcroots/profiles' to '") && says("File exists"));
}

} // namespace belay::nix
