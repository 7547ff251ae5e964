// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/strict_xml.h"

#include "tests/fuzz/fuzz_target.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace belay::fuzz {

namespace {

/// The code point at the front, which is taken off. Overlong forms and surrogates are none.
std::uint32_t take_code_point(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t size = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  require(first < 0x80 || (first >= 0xC2 && first <= 0xF4), "UTF-8");
  require(text.size() >= size, "UTF-8");
  std::uint32_t code = size == 1 ? first : first & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    require((next & 0xC0) == 0x80, "UTF-8");
    code = code << 6 | (next & 0x3FU);
  }
  constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  require(code >= smallest[size] && code <= 0x10FFFF, "UTF-8");
  text.remove_prefix(size);
  return code;
}

/// Production 2 of XML 1.0.
bool is_character(std::uint32_t code) {
  return code == 0x9 || code == 0xA || code == 0xD || (code >= 0x20 && code <= 0xD7FF) ||
         (code >= 0xE000 && code <= 0xFFFD) || (code >= 0x10000 && code <= 0x10FFFF);
}

void take_reference(std::string_view& text) {
  for (const std::string_view known : {"&amp;", "&lt;", "&gt;", "&quot;", "&#10;", "&#9;"})
    if (text.starts_with(known))
      return text.remove_prefix(known.size());
  require(false, "a reference that is one");
}

void require_characters(std::string_view text, std::string_view markup) {
  while (!text.empty()) {
    require(markup.find(text.front()) == std::string_view::npos, "no markup in text");
    if (text.front() == '&')
      take_reference(text);
    else
      require(is_character(take_code_point(text)), "a character of XML");
  }
}

std::string_view take_until(std::string_view& text, std::string_view end) {
  const std::size_t at = text.find(end);
  require(at != std::string_view::npos, "what was begun is ended");
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at + end.size());
  return taken;
}

bool is_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

/// ' name="value"' as often as there is one.
void take_attributes(std::string_view tag) {
  std::set<std::string_view> names;
  while (!tag.empty()) {
    require(tag.front() == ' ', "a blank before an attribute");
    tag.remove_prefix(1);
    const std::string_view name = take_until(tag, "=\"");
    require(is_name(name) && names.insert(name).second, "an attribute's name, once");
    require_xml_attribute(take_until(tag, "\""));
  }
}

} // namespace

void require_xml_text(std::string_view text) {
  require_characters(text, "<>");
}

void require_xml_attribute(std::string_view text) {
  require_characters(text, "<>\"\n\t\r");
}

void require_xml(std::string_view document) {
  constexpr std::string_view declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  require(document.starts_with(declaration), "a declaration");
  document.remove_prefix(declaration.size());
  std::vector<std::string_view> open;
  std::size_t roots = 0;
  while (!document.empty()) {
    const std::string_view text = document.substr(0, document.find('<'));
    require(!open.empty() || text.find_first_not_of("\n") == std::string_view::npos,
            "no text outside of the root");
    require_xml_text(text);
    document.remove_prefix(text.size());
    if (document.empty())
      break;
    document.remove_prefix(1);
    std::string_view tag = take_until(document, ">");
    if (tag.starts_with('/')) {
      require(!open.empty() && open.back() == tag.substr(1), "what is closed is open");
      open.pop_back();
      continue;
    }
    const bool is_empty = tag.ends_with('/');
    if (is_empty)
      tag.remove_suffix(1);
    const std::string_view name = tag.substr(0, tag.find(' '));
    require(is_name(name), "an element's name");
    roots += open.empty() ? 1 : 0;
    take_attributes(tag.substr(name.size()));
    if (!is_empty)
      open.push_back(name);
  }
  require(open.empty() && roots == 1, "one root, and all closed");
}

} // namespace belay::fuzz
