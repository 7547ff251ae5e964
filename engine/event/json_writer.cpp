// SPDX-License-Identifier: Apache-2.0
#include "engine/event/json_writer.h"

#include "engine/base/text.h"

#include <algorithm>

namespace belay::event {

namespace {

bool is_plain(char character) {
  return static_cast<unsigned char>(character) >= ' ' && character != '"' && character != '\\';
}

/// Nearly every text. No early end: so the compiler looks at many characters at a time.
bool stands_as_it_is(std::string_view text) {
  unsigned char found = 0;
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    found |= static_cast<unsigned char>(static_cast<unsigned char>(byte - ' ') > '~' - ' ');
    found |= static_cast<unsigned char>(byte == '"');
    found |= static_cast<unsigned char>(byte == '\\');
  }
  return found == 0;
}

void append_escaped(std::string& to, char character) {
  constexpr std::string_view special = "\"\\\b\f\n\r\t";
  constexpr std::string_view letters = "\"\\bfnrt";
  constexpr std::string_view hex = "0123456789abcdef";
  if (const auto found = special.find(character); found != std::string_view::npos) {
    (to += '\\') += letters[found];
    return;
  }
  const auto byte = static_cast<unsigned char>(character);
  ((to += "\\u00") += hex[byte / 16]) += hex[byte % 16];
}

void append_string(std::string& to, std::string_view text) {
  to += '"';
  while (!text.empty()) {
    const auto plain = std::find_if_not(text.begin(), text.end(), is_plain) - text.begin();
    to += text.substr(0, static_cast<std::size_t>(plain));
    text.remove_prefix(static_cast<std::size_t>(plain));
    if (!text.empty()) {
      append_escaped(to, text.front());
      text.remove_prefix(1);
    }
  }
  to += '"';
}

} // namespace

/// No line may be unreadable, whatever it is about: what is no UTF-8 is replaced here too.
void JsonWriter::value(std::string_view text) {
  if (stands_as_it_is(text)) {
    ((text_ += '"') += text) += '"';
  } else if (is_plain_text(text)) {
    append_string(text_, text);
  } else {
    plain_ = false;
    append_string(text_, valid_utf8(text));
  }
}

void JsonWriter::value(Duration duration) {
  auto milliseconds = duration.count();
  if (milliseconds < 0) {
    text_ += '-';
    milliseconds = -milliseconds;
  }
  value(milliseconds / 1000);
  std::string fraction = std::to_string(1000 + milliseconds % 1000);
  fraction[0] = '.';
  while (fraction.size() > 2 && fraction.back() == '0')
    fraction.pop_back();
  text_ += fraction;
}

} // namespace belay::event
