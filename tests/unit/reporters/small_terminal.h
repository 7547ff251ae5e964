// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "reporters/live_view.h"

#include <string>
#include <string_view>
#include <vector>

// A terminal in memory, with as much of ECMA-48 and xterm as the live console may use: what it does
// not know fails the test. It wraps as xterm does, which is the trap of every program that draws:
// after the last column the cursor waits on it until the next character comes.

namespace belay::test {

class SmallTerminal {
public:
  enum class OnResize { wraps_anew, cuts };

  explicit SmallTerminal(reporters::TerminalSize size) : size_(size), rows_(1) {}

  void write(std::string_view bytes);
  void resize(reporters::TerminalSize size, OnResize how);

  /// What is seen, without blanks at the ends of lines and without empty lines at the end.
  std::vector<std::string> screen() const;
  /// All that scrolled out of the top and the screen; a line that was wrapped is one.
  std::vector<std::string> everything() const;
  std::size_t cursor_row() const { return row_; } ///< on the screen, from 0
  std::size_t cursor_column() const { return column_; }
  bool wraps() const { return wraps_; }
  bool coloured() const { return coloured_; } ///< right now

private:
  /// One character and what combines with it; the second cell of a wide one is empty.
  using Cell = std::string;
  struct Row {
    std::vector<Cell> cells;
    bool continues = false; ///< in the next row
  };

  std::string_view sequence(std::string_view bytes);
  void control(std::string_view sequence);
  void put(const std::string& character, std::size_t width);
  void line_feed();
  Row& row() { return rows_[history_ + row_]; }
  static std::string text_of(const Row& row);

  reporters::TerminalSize size_;
  std::vector<Row> rows_;   ///< those above the screen first
  std::size_t history_ = 0; ///< so many
  std::size_t row_ = 0, column_ = 0;
  bool waits_ = false; ///< behind the last column
  bool wraps_ = true;
  bool coloured_ = false;
};

} // namespace belay::test
