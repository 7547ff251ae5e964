// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

namespace belay::reporters {

/// What a line's colour says, where there are colours.
enum class Tone { none, good, bad, warning, quiet };

/// One line for a person, clean (base/text.h) and without its line feed. `rest` is its end, which
/// has the tone.
struct ConsoleLine {
  std::string start;
  std::string rest;
  Tone tone = Tone::none;

  std::string text() const { return start + rest; }
  bool operator==(const ConsoleLine&) const = default;
};

using WriteLine = std::function<void(const ConsoleLine& line)>;

} // namespace belay::reporters
