// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

// One character that XML 1.0 does not allow loses the whole report for its readers, so every string
// that goes into one passes here: terminal sequences out, invalid UTF-8 repaired, what XML cannot
// hold dropped or replaced, then escaped. No CDATA: it has an end mark of its own to guard.

namespace belay::reporters {

/// The text between two tags.
std::string xml_text(std::string_view text);
/// The value of an attribute, for double quotes; line breaks and tabs survive as references.
std::string xml_attribute(std::string_view text);

/// At most `limit` code points of it, with an ellipsis where it was cut.
std::string first_characters(std::string_view text, std::size_t limit);

} // namespace belay::reporters
