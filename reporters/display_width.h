// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// How wide text is on a terminal: an ideograph takes two columns, an accent that is put on the
// letter before it none. Terminals differ in the newest emoji; who draws must not come to grief
// over a column more or less. The text is valid UTF-8 without control characters (base/text.h).

namespace belay::reporters {

std::size_t columns_of(std::string_view text);

/// At most `columns` columns of it, with an ellipsis as the last one where it was cut.
std::string cut_to(std::string_view text, std::size_t columns);

/// Without what is not seen but changes what is: marks that turn the direction of the rest of the
/// line, joiners, byte order marks, line separators.
std::string without_hidden(std::string_view text);

} // namespace belay::reporters
