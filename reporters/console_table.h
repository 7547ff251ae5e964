// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "reporters/console_line.h"

#include <string>
#include <string_view>

namespace belay::reporters {

/// One line of the console's table; each cell is cleaned when it is formatted.
struct Row {
  std::string node, profile, size, generations, duration, result, why;
  Tone tone = Tone::none; ///< of result and why
};

/// Columns that are as wide as the plan's names need, within reason.
class Table {
public:
  void widen(std::string_view node, std::string_view profile);
  /// " web-1  system  12.3 MiB  gen 41 → 42   6.2 s   deployed"
  ConsoleLine format(const Row& row) const;
  /// " build  3 built, 2 in the store         4.1 s": the text takes three columns.
  ConsoleLine format_wide(std::string_view name, std::string_view text, std::string_view duration,
                          std::string_view result = "") const;
  /// Columns of a line up to its result.
  std::size_t width_before_result() const;

private:
  std::size_t node_width_ = 8;
  std::size_t profile_width_ = 6;
};

/// GitHub's runner acts on `::name` at the start of a line, blanks before it or not, and on
/// `##[name` anywhere in it; both come out with a blank in between.
std::string without_commands(std::string line);

} // namespace belay::reporters
