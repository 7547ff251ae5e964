// SPDX-License-Identifier: Apache-2.0
#include "engine/nix/derivation.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/nix/command.h"
#include "engine/nix/local_nix.h"

namespace belay::nix {

namespace {

/// A derivation of a large system is some 100 KB; text that a package is given may be more.
constexpr std::size_t largest_derivation = 64 << 20;

/// nullopt where this machine's file system does not show it.
std::optional<std::string> text_of(const StorePath& derivation) {
  try {
    return read_file(derivation.string(), largest_derivation);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// The end of the quoted string that begins at `from`; npos where it has none.
std::size_t end_of_string(std::string_view text, std::size_t from) {
  for (auto at = from + 1; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at;
    }
  }
  return text.npos;
}

bool is_derivation(const StorePath& path) {
  return path.string().ends_with(".drv");
}

} // namespace

std::optional<std::string> system_in(std::string_view text) {
  int depth = 0; // of lists
  int lists = 0; // that have ended
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '[') {
      ++depth;
    } else if (text[at] == ']' && --depth == 0) {
      ++lists;
    } else if (text[at] == '"') {
      const auto end = end_of_string(text, at);
      if (end == text.npos) {
        return std::nullopt;
      }
      if (depth == 0 && lists == 3) {
        return std::string(text.substr(at + 1, end - at - 1));
      }
      at = end;
    }
  }
  return std::nullopt;
}

std::optional<std::string> LocalNix::system_of(const StorePath& derivation) const {
  const auto text = text_of(derivation);
  return text ? system_in(*text) : std::nullopt;
}

bool LocalNix::mentions(const StorePath& derivation, std::string_view word, const Wait& wait) {
  const auto listed =
      run_query(runner_, nix_process({"nix-store", "--query", "--requisites", derivation.string()}),
                wait, "looking into " + derivation.string());
  for (const auto& line : split_white_space(listed)) {
    const auto path = StorePath::parse(line);
    if (!path || path->string().find(word) != std::string::npos) {
      return true;
    }
    const auto text = is_derivation(*path) ? text_of(*path) : std::string();
    if (!text || text->find(word) != std::string::npos) {
      return true;
    }
  }
  return false;
}

} // namespace belay::nix
