// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/reporters/small_terminal.h"

#include "reporters/display_width.h"
#include "tests/catch.h"

#include <algorithm>

namespace belay::test {

namespace {

std::size_t length_of_character(std::string_view bytes) {
  std::size_t length = 1;
  while (length < bytes.size() && (static_cast<unsigned char>(bytes[length]) & 0xC0) == 0x80)
    ++length;
  return length;
}

} // namespace

void SmallTerminal::write(std::string_view bytes) {
  while (!bytes.empty()) {
    if (bytes.front() == '\x1b') {
      bytes = sequence(bytes);
      continue;
    }
    const std::string character(bytes.substr(0, length_of_character(bytes)));
    bytes.remove_prefix(character.size());
    if (character == "\r")
      column_ = 0, waits_ = false;
    else if (character == "\n")
      line_feed();
    else
      put(character, reporters::columns_of(character));
  }
}

/// ESC [ parameters final
std::string_view SmallTerminal::sequence(std::string_view bytes) {
  const std::size_t end = bytes.find_first_of("ABCDEFGHJKhlm");
  REQUIRE(end != std::string_view::npos);
  control(bytes.substr(0, end + 1));
  return bytes.substr(end + 1);
}

void SmallTerminal::control(std::string_view sequence) {
  INFO("ESC" << sequence.substr(1));
  if (sequence == "\x1b[K") {
    row().cells.resize(std::min(row().cells.size(), column_));
    row().continues = false;
  } else if (sequence == "\x1b[J") {
    row().cells.resize(std::min(row().cells.size(), column_));
    rows_.resize(history_ + row_ + 1);
    row().continues = false;
  } else if (sequence == "\x1b[?7l" || sequence == "\x1b[?7h") {
    wraps_ = sequence.back() == 'h';
  } else if (sequence.back() == 'm') {
    coloured_ = sequence != "\x1b[0m";
  } else if (sequence.back() == 'A') {
    const auto up = std::stoul(std::string(sequence.substr(2)));
    row_ -= std::min<std::size_t>(row_, up);
    waits_ = false;
  } else {
    FAIL("a sequence that a plain terminal need not know");
  }
}

void SmallTerminal::put(const std::string& character, std::size_t width) {
  if (width == 0) {
    if (!row().cells.empty())
      row().cells.back() += character;
    return;
  }
  if ((waits_ || column_ + width > size_.columns) && wraps_) {
    row().continues = true;
    line_feed();
    column_ = 0;
  }
  column_ = std::min(column_, size_.columns - width); // without wrapping: over the last one
  row().cells.resize(std::max(row().cells.size(), column_ + width), " ");
  row().cells[column_] = character;
  if (width == 2)
    row().cells[column_ + 1].clear();
  waits_ = column_ + width >= size_.columns;
  column_ = waits_ ? size_.columns - 1 : column_ + width;
}

void SmallTerminal::line_feed() {
  waits_ = false;
  if (row_ + 1 < size_.rows)
    ++row_;
  else
    ++history_;
  rows_.resize(std::max(rows_.size(), history_ + row_ + 1));
}

void SmallTerminal::resize(reporters::TerminalSize size, OnResize how) {
  std::size_t at = history_ + row_; // of the cursor
  size_ = size;
  if (how == OnResize::cuts) {
    for (Row& row : rows_)
      row.cells.resize(std::min(row.cells.size(), size.columns));
  } else {
    std::vector<Row> anew;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      Row whole = rows_[i];
      const bool has_cursor = i == history_ + row_; // which stands at the start of its line
      while (whole.continues && i + 1 < rows_.size()) {
        whole.cells.resize(std::max(whole.cells.size(), size.columns), " ");
        whole.cells.insert(whole.cells.end(), rows_[i + 1].cells.begin(), rows_[i + 1].cells.end());
        whole.continues = rows_[++i].continues;
      }
      if (has_cursor)
        at = anew.size();
      do {
        const auto part = std::min(whole.cells.size(), size.columns);
        const auto middle = whole.cells.begin() + static_cast<std::ptrdiff_t>(part);
        anew.push_back({{whole.cells.begin(), middle}, middle != whole.cells.end()});
        whole.cells.erase(whole.cells.begin(), middle);
      } while (!whole.cells.empty());
    }
    rows_ = std::move(anew);
  }
  history_ = rows_.size() > size.rows ? std::min(rows_.size() - size.rows, at) : 0;
  row_ = at - history_;
  column_ = 0;
}

std::string SmallTerminal::text_of(const Row& row) {
  std::string text;
  for (const Cell& cell : row.cells)
    text += cell;
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

std::vector<std::string> SmallTerminal::screen() const {
  std::vector<std::string> lines;
  for (std::size_t i = history_; i < rows_.size(); ++i)
    lines.push_back(text_of(rows_[i]));
  while (!lines.empty() && lines.back().empty())
    lines.pop_back();
  return lines;
}

std::vector<std::string> SmallTerminal::everything() const {
  std::vector<std::string> lines;
  bool continues = false;
  for (const Row& row : rows_) {
    if (continues)
      lines.back() += text_of(row);
    else
      lines.push_back(text_of(row));
    continues = row.continues;
  }
  while (!lines.empty() && lines.back().empty())
    lines.pop_back();
  return lines;
}

} // namespace belay::test
