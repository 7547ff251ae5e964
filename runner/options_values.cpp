// SPDX-License-Identifier: Apache-2.0
#include "runner/options_values.h"

#include "engine/base/text.h"

#include <algorithm>
#include <charconv>

namespace belay::runner {

std::optional<bool> to_flag(std::string_view text) {
  if (text == "true") {
    return true;
  }
  return text == "false" ? std::optional(false) : std::nullopt;
}

std::optional<std::int64_t> to_number(std::string_view text, std::int64_t least,
                                      std::int64_t most) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  return whole && number >= least && number <= most ? std::optional(number) : std::nullopt;
}

std::optional<std::int64_t> to_seconds(std::string_view text) {
  constexpr std::int64_t most = 1'000'000'000; // times an hour fits
  std::int64_t unit = 1;
  if (text.ends_with('s') || text.ends_with('m') || text.ends_with('h')) {
    unit = text.back() == 's' ? 1 : text.back() == 'm' ? 60 : 3'600;
    text.remove_suffix(1);
  }
  const auto number = to_number(text, 0, most);
  return number ? std::optional(*number * unit) : std::nullopt;
}

std::vector<std::string> to_words(std::string_view text) {
  std::vector<std::string> words = split(text, ' ');
  std::erase(words, "");
  return words;
}

std::optional<std::string> check_events_target(std::string_view text) {
  constexpr std::int64_t highest_descriptor = 1'048'576; // Linux's fs.nr_open
  if (text.starts_with("fd:") && !to_number(text.substr(3), 0, highest_descriptor)) {
    return "expected fd:N with the number of an open file descriptor";
  }
  return std::nullopt;
}

} // namespace belay::runner
