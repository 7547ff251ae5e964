// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "reporters/live_view.h"

#include <span>
#include <string>

// Frames as bytes for a terminal: lines that stay scroll up above a few that are drawn again in
// place. Between two frames the cursor stands, visible, at the start of the frame's first line.
// From there everything below can be erased whatever the terminal did to it when its window changed
// - some wrap lines anew, some cut them - and whatever ends the program, the terminal is as it was:
// no cursor is hidden, no mode is left on. Lines of a frame are drawn with wrapping off, so that
// one that the terminal finds wider than we do disturbs no other.

namespace belay::reporters {

struct LiveScreenOptions {
  bool colours = true;
};

class LiveScreen {
public:
  explicit LiveScreen(LiveScreenOptions options = {}) : options_(options) {}

  /// The bytes that make the terminal show `above` as lines that stay and `frame` below them;
  /// nothing where it shows that already. To be written whole, in order.
  std::string draw(std::span<const ConsoleLine> above, Frame frame, TerminalSize size);

private:
  std::string styled(const ConsoleLine& line) const;
  std::string lines_above(std::span<const ConsoleLine> above, TerminalSize size) const;
  std::string lines_of(const Frame& frame) const;

  LiveScreenOptions options_;
  Frame shown_;
  TerminalSize size_;
};

} // namespace belay::reporters
