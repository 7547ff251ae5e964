// SPDX-License-Identifier: Apache-2.0
#include "reporters/console_table.h"

#include "engine/base/text.h"

#include <algorithm>

namespace belay::reporters {

namespace {

constexpr std::size_t widest_name = 32;
constexpr std::size_t size_width = 9;         // "1023.9 MiB" is rare, "12.3 MiB" is not
constexpr std::size_t generations_width = 18; // "gen 117 → 118 → 117" is the rare long one
constexpr std::size_t duration_width = 9;     // "12 min 05 s" shifts its line
constexpr std::size_t longest_text = 200;

bool starts_code_point(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
}

std::string blanks(std::string_view text, std::size_t width) {
  const std::size_t used = width_of(text);
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
  return fit(one_line(text), columns);
}

} // namespace

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_code_point));
}

std::string fit(std::string_view text, std::size_t columns) {
  if (width_of(text) <= columns)
    return std::string(text);
  std::size_t seen = 0, bytes = 0;
  while (bytes < text.size() && (!starts_code_point(text[bytes]) || ++seen < columns))
    ++bytes;
  return std::string(text.substr(0, bytes)) + "\xe2\x80\xa6";
}

std::string without_commands(std::string line) {
  const std::size_t start = line.find_first_not_of(" \t");
  if (start != std::string::npos && line.compare(start, 2, "::") == 0)
    line.insert(start + 1, " ");
  for (std::size_t at = line.find("##["); at != std::string::npos; at = line.find("##[", at + 1))
    line.insert(at + 2, " ");
  return line;
}

void Table::widen(std::string_view node, std::string_view profile) {
  node_width_ = std::max(node_width_, std::min(width_of(one_line(node)), widest_name));
  profile_width_ = std::max(profile_width_, std::min(width_of(one_line(profile)), widest_name));
}

std::string Table::format(const Row& row) const {
  std::string line = " " + left(cell(row.node), node_width_) + "  " +
                     left(cell(row.profile), profile_width_) + "  " +
                     right(cell(row.size), size_width) + "  " +
                     left(cell(row.generations), generations_width) + "  " +
                     right(cell(row.duration), duration_width) + "   " + cell(row.result);
  const std::string why = cell(row.why);
  return trimmed_end(why.empty() ? line : line + "  " + why);
}

std::string Table::format_wide(std::string_view name, std::string_view text,
                               std::string_view duration, std::string_view result) const {
  const std::size_t text_width = profile_width_ + 2 + size_width + 2 + generations_width;
  return trimmed_end(" " + left(cell(name), node_width_) + "  " + left(cell(text), text_width) +
                     "  " + right(cell(duration), duration_width) + "   " + cell(result));
}

} // namespace belay::reporters
