// SPDX-License-Identifier: Apache-2.0
#include "reporters/console_table.h"

#include "engine/base/text.h"
#include "reporters/display_width.h"

#include <algorithm>

namespace belay::reporters {

namespace {

constexpr std::size_t widest_name = 32;
constexpr std::size_t size_width = 9;         // "1023.9 MiB" is rare, "12.3 MiB" is not
constexpr std::size_t generations_width = 18; // "gen 117 → 118 → 117" is the rare long one
constexpr std::size_t duration_width = 9;     // "12 min 05 s" shifts its line
constexpr std::size_t longest_text = 200;

std::string blanks(std::string_view text, std::size_t width) {
  const std::size_t used = columns_of(text);
  return std::string(width > used ? width - used : 0, ' ');
}

std::string left(std::string_view text, std::size_t width) {
  return std::string(text) + blanks(text, width);
}

std::string right(std::string_view text, std::size_t width) {
  return blanks(text, width) + std::string(text);
}

std::string trimmed_end(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string cell(std::string_view text, std::size_t columns = longest_text) {
  return cut_to(one_line(text), columns);
}

ConsoleLine line_of(const std::string& start, std::string rest, Tone tone) {
  if (rest.empty())
    return {trimmed_end(start), "", Tone::none};
  return {start, trimmed_end(std::move(rest)), tone};
}

} // namespace

std::string without_commands(std::string line) {
  const std::size_t start = line.find_first_not_of(" \t");
  if (start != std::string::npos && line.compare(start, 2, "::") == 0)
    line.insert(start + 1, " ");
  for (std::size_t at = line.find("##["); at != std::string::npos; at = line.find("##[", at + 1))
    line.insert(at + 2, " ");
  return line;
}

void Table::widen(std::string_view node, std::string_view profile) {
  node_width_ = std::max(node_width_, std::min(columns_of(one_line(node)), widest_name));
  profile_width_ = std::max(profile_width_, std::min(columns_of(one_line(profile)), widest_name));
}

ConsoleLine Table::format(const Row& row) const {
  const std::string start = " " + left(cell(row.node), node_width_) + "  " +
                            left(cell(row.profile), profile_width_) + "  " +
                            right(cell(row.size), size_width) + "  " +
                            left(cell(row.generations), generations_width) + "  " +
                            right(cell(row.duration), duration_width) + "   ";
  const std::string why = cell(row.why);
  return line_of(start, cell(row.result) + (why.empty() ? "" : "  " + why), row.tone);
}

ConsoleLine Table::format_wide(std::string_view name, std::string_view text,
                               std::string_view duration, std::string_view result) const {
  const std::size_t text_width = profile_width_ + 2 + size_width + 2 + generations_width;
  return line_of(" " + left(cell(name), node_width_) + "  " + left(cell(text), text_width) + "  " +
                     right(cell(duration), duration_width) + "   ",
                 cell(result), Tone::bad);
}

std::size_t Table::width_before_result() const {
  return 1 + node_width_ + 2 + profile_width_ + 2 + size_width + 2 + generations_width + 2 +
         duration_width + 3;
}

} // namespace belay::reporters
