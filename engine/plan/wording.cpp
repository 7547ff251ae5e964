// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/wording.h"

#include "engine/base/text.h"

namespace belay::plan {

std::string in_quotes(std::string_view name) {
  std::string text = one_line(name);
  if (text.size() > 120) {
    text = valid_utf8(text.substr(0, 117)) + "…";
  }
  return '"' + text + '"';
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr std::size_t longest = 200; // the search costs its square
  const auto meant = word.size() > longest ? std::nullopt : nearest(word, candidates);
  return meant ? "did you mean " + in_quotes(*meant) + "?" : "";
}

} // namespace belay::plan
