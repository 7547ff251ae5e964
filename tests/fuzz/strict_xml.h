// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

// XML 1.0 read as strictly as JUnit's readers do, and as far as belay writes any: elements,
// attributes in double quotes, references, text. Independent of what writes it.

namespace belay::fuzz {

/// Requires (fuzz_target.h) characters and references that XML 1.0 has, in UTF-8, and no markup.
void require_xml_text(std::string_view text);
/// The same of what stands between the quotes of an attribute.
void require_xml_attribute(std::string_view text);
/// Requires a whole document: a declaration, one root, every element closed, no attribute twice.
void require_xml(std::string_view document);

} // namespace belay::fuzz
