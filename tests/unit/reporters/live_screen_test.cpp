// SPDX-License-Identifier: Apache-2.0
#include "reporters/live_screen.h"

#include "tests/catch.h"
#include "tests/unit/reporters/small_terminal.h"

using namespace belay;
using namespace belay::reporters;
using namespace belay::test;
using Lines = std::vector<std::string>;

namespace {

Frame frame_of(const Lines& lines) {
  Frame frame;
  for (const std::string& line : lines)
    frame.push_back({"", line, Tone::none});
  return frame;
}

/// A screen and the terminal that it is drawn on.
class Drawn {
public:
  explicit Drawn(TerminalSize size, bool colours = false)
      : size_(size), terminal(size), screen_({colours}) {}

  void operator()(const Lines& above, const Lines& frame) {
    terminal.write(screen_.draw(frame_of(above), frame_of(frame), size_));
    CHECK(terminal.cursor_column() == 0);
    CHECK(terminal.wraps());
    CHECK_FALSE(terminal.coloured());
  }
  void resize(TerminalSize size, SmallTerminal::OnResize how) {
    size_ = size;
    terminal.resize(size, how);
  }
  std::string bytes(const ConsoleLine& above) {
    return screen_.draw(std::vector{above}, {}, size_);
  }

private:
  TerminalSize size_;

public:
  SmallTerminal terminal;

private:
  LiveScreen screen_;
};

} // namespace

TEST_CASE(
    "a frame is drawn in place, what stays scrolls above it, and at the end nothing is left") {
  Drawn draw({20, 6});
  draw({}, {"one 1", "two 1"});
  CHECK(draw.terminal.screen() == Lines{"one 1", "two 1"});
  draw({}, {"one 2", "two 2"});
  CHECK(draw.terminal.screen() == Lines{"one 2", "two 2"});
  draw({"first"}, {"two 3"});
  CHECK(draw.terminal.screen() == Lines{"first", "two 3"});
  draw({"second", "third", "fourth"}, {"x", "y"});
  draw({"fifth"}, {"x", "y", "z"});
  CHECK(draw.terminal.screen() == Lines{"fourth", "fifth", "x", "y", "z"}); // and the cursor's row
  draw({"end"}, {});
  CHECK(draw.terminal.everything() == Lines{"first", "second", "third", "fourth", "fifth", "end"});
}

TEST_CASE("what is shown already is not drawn again") {
  LiveScreen screen;
  const TerminalSize size{20, 6};
  CHECK_FALSE(screen.draw({}, frame_of({"a"}), size).empty());
  CHECK(screen.draw({}, frame_of({"a"}), size).empty());
  CHECK_FALSE(
      screen.draw({}, frame_of({"a"}), {21, 6}).empty()); // the terminal may have wrapped it
  CHECK_FALSE(screen.draw({}, {}, {21, 6}).empty());
  CHECK(screen.draw({}, {}, size).empty());
}

TEST_CASE("a line that stays may be longer than the terminal is wide, or just as long") {
  Drawn draw({10, 8});
  const std::string width =
      GENERATE(std::string(9, 'w'), std::string(10, 'w'), std::string(11, 'w'),
               std::string(20, 'w'), std::string(25, 'w'));
  draw({}, {"old old o", "old old o", "old old o", "old old o"});
  draw({width, "next"}, {"live"});
  CHECK(draw.terminal.everything() == Lines{width, "next", "live"});
}

TEST_CASE("a window that changes leaves no trace of the frame before") {
  const auto how = GENERATE(SmallTerminal::OnResize::wraps_anew, SmallTerminal::OnResize::cuts);
  const auto size = GENERATE(TerminalSize{9, 10}, TerminalSize{60, 10}, TerminalSize{30, 5},
                             TerminalSize{9, 5}, TerminalSize{60, 30});
  Drawn draw({30, 10});
  draw({"done"}, {"a line of the frame, long", "another one, as long as it", "the last"});
  draw.resize(size, how);
  draw({"more"}, {"small", "frame"});
  const Lines seen = draw.terminal.everything();
  CHECK(seen == Lines{"done", "more", "small", "frame"});
  draw({}, {});
  CHECK(draw.terminal.everything() == Lines{"done", "more"});
}

TEST_CASE("a line that the terminal finds wider than we do disturbs no other") {
  Drawn draw({10, 5});
  draw({}, {std::string(14, 'x'), "second"});
  CHECK(draw.terminal.screen() == Lines{std::string(9, 'x'), "second"});
  draw({}, {"short", "second"});
  CHECK(draw.terminal.screen() == Lines{"short", "second"});
}

TEST_CASE("colours are there where they are wanted, and end with their line") {
  const ConsoleLine line{" web-1  ", "ROLLED BACK", Tone::bad};
  CHECK(Drawn({80, 24}, true).bytes(line).find(" web-1  \x1b[1;31mROLLED BACK\x1b[0m") !=
        std::string::npos);
  CHECK(Drawn({80, 24}, false).bytes(line).find("m") == std::string::npos);
}

TEST_CASE("a mark that turns the rest of a line round does not reach the terminal") {
  CHECK(Drawn({80, 24})
            .bytes({"",
                    "ab\xe2\x80\xae"
                    "cd\xe2\x81\xa6",
                    Tone::none})
            .find('\xe2') == std::string::npos);
}
