// SPDX-License-Identifier: Apache-2.0
#include "reporters/live_screen.h"

#include "reporters/display_width.h"

#include <algorithm>
#include <utility>

namespace belay::reporters {

namespace {

// ECMA-48 and DEC's private mode 7, which every terminal of the last forty years has.
constexpr std::string_view erase_below = "\x1b[J";
constexpr std::string_view erase_rest_of_line = "\x1b[K";
constexpr std::string_view wrap_off = "\x1b[?7l";
constexpr std::string_view wrap_on = "\x1b[?7h";
constexpr std::string_view plain = "\x1b[0m";

std::string up(std::size_t rows) {
  return rows == 0 ? "" : "\x1b[" + std::to_string(rows) + "A";
}

std::string_view colour_of(Tone tone) {
  switch (tone) {
  case Tone::none:
    return "";
  case Tone::good:
    return "\x1b[32m";
  case Tone::bad:
    return "\x1b[1;31m";
  case Tone::warning:
    return "\x1b[33m";
  case Tone::quiet:
    return "\x1b[2m";
  }
  return "";
}

} // namespace

std::string LiveScreen::draw(std::span<const ConsoleLine> above, Frame frame, TerminalSize size) {
  const bool resized = std::exchange(size_, size) != size;
  if (above.empty() && frame == shown_ && (!resized || frame.empty()))
    return "";
  std::string bytes = "\r";
  if (resized)
    bytes += erase_below;
  bytes += lines_above(above, size);
  bytes += lines_of(frame);
  shown_ = std::move(frame);
  return bytes;
}

std::string LiveScreen::styled(const ConsoleLine& line) const {
  const std::string_view colour = options_.colours ? colour_of(line.tone) : "";
  const std::string rest = without_hidden(line.rest);
  return without_hidden(line.start) +
         (colour.empty() || rest.empty() ? rest : std::string(colour) + rest + std::string(plain));
}

/// A line that fills its last row leaves the cursor where erasing would take its last character, so
/// a longer one gets a cleared screen instead.
std::string LiveScreen::lines_above(std::span<const ConsoleLine> above, TerminalSize size) const {
  std::string bytes;
  for (const ConsoleLine& line : above) {
    const bool fits = columns_of(line.text()) < size.columns;
    bytes += fits ? "" : erase_below;
    bytes += styled(line);
    bytes += fits ? erase_rest_of_line : "";
    bytes += "\r\n";
  }
  return bytes;
}

/// Ends where it began: at the start of the first line, with nothing below the last one.
std::string LiveScreen::lines_of(const Frame& frame) const {
  if (frame.empty())
    return std::string(erase_below);
  std::string bytes(wrap_off);
  for (std::size_t i = 0; i < frame.size(); ++i) {
    bytes += i == 0 ? "" : "\r\n";
    bytes += styled(frame[i]);
    bytes += erase_rest_of_line;
  }
  // Not from the end of the last line: where that is full, its last character would go, too.
  bytes += "\r\n";
  bytes += erase_below;
  return bytes + up(frame.size()) + std::string(wrap_on);
}

} // namespace belay::reporters
