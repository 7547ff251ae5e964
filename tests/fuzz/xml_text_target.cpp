// SPDX-License-Identifier: Apache-2.0
#include "reporters/xml_text.h"

#include "engine/base/text.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/strict_xml.h"

#include <algorithm>

// Text of whatever origin on its way into a report, an event or a terminal.

namespace belay::fuzz {

namespace {

void check_cleaning(std::string_view text) {
  const std::string clean = clean_text(text);
  require(clean_text(clean) == clean, "clean text is clean");
  require(valid_utf8(clean) == clean, "clean text is UTF-8");
  require(clean.find('\x1b') == std::string::npos, "no escape sequence is left");
  require(!is_plain_text(text) || clean == text, "plain text has nothing to clean");
  const std::string line = one_line(text);
  require(one_line(line) == line, "a line is a line");
  require(line.find_first_of("\n\t\r") == std::string::npos, "one line");
  require(!is_one_line(text) || line == text, "what is one line stays as it is");
  require(std::string_view(text).ends_with(tail(text, 16)), "a tail is the end");
}

} // namespace

void feed(std::string_view text) {
  require_xml_text(reporters::xml_text(text));
  require_xml_attribute(reporters::xml_attribute(text));
  require_xml_text(reporters::xml_text(reporters::first_characters(text, 8)));
  check_cleaning(text);
}

} // namespace belay::fuzz
