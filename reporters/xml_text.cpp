// SPDX-License-Identifier: Apache-2.0
#include "reporters/xml_text.h"

#include "engine/base/text.h"

#include <algorithm>

namespace belay::reporters {

namespace {

/// U+FFFE and U+FFFF (EF BF BE, EF BF BF) are valid UTF-8 and no characters of XML.
bool is_noncharacter(std::string_view text, std::size_t at) {
  return text.substr(at, 2) == "\xEF\xBF" && at + 2 < text.size() &&
         (text[at + 2] == '\xBE' || text[at + 2] == '\xBF');
}

/// Holds nothing that has to be written otherwise, in an attribute or outside of one.
bool is_plain(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return c == '&' || c == '<' || c == '>' || c == '"' || c == '\n' || c == '\t' || c == '\xEF';
  });
}

std::string escape(std::string_view text, bool attribute) {
  if (is_plain(text))
    return std::string(text);
  std::string escaped;
  escaped.reserve(text.size() + text.size() / 8);
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char character = text[at];
    if (is_noncharacter(text, at)) {
      escaped += "\xEF\xBF\xBD";
      at += 2;
    } else if (character == '&') {
      escaped += "&amp;";
    } else if (character == '<') {
      escaped += "&lt;";
    } else if (character == '>') { // for the sake of ]]>
      escaped += "&gt;";
    } else if (attribute && character == '"') {
      escaped += "&quot;";
    } else if (attribute && (character == '\n' || character == '\t')) {
      escaped += character == '\n' ? "&#10;" : "&#9;";
    } else {
      escaped += character;
    }
  }
  return escaped;
}

bool starts_code_point(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
}

} // namespace

std::string xml_text(std::string_view text) {
  return escape(clean_text(text), false);
}

std::string xml_attribute(std::string_view text) {
  return escape(clean_text(text), true);
}

std::string first_characters(std::string_view text, std::size_t limit) {
  const auto length = std::count_if(text.begin(), text.end(), starts_code_point);
  if (static_cast<std::size_t>(length) <= limit)
    return std::string(text);
  std::size_t seen = 0, bytes = 0;
  while (bytes < text.size() && (!starts_code_point(text[bytes]) || ++seen < limit))
    ++bytes;
  return std::string(text.substr(0, bytes)) + "\xe2\x80\xa6";
}

} // namespace belay::reporters
