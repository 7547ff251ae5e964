// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

// How messages speak of names that somebody else chose.

namespace belay::plan {

/// In double quotes, on one line and of bearable length.
std::string in_quotes(std::string_view name);

/// `did you mean "parallel"?`, or empty where no candidate is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

} // namespace belay::plan
