// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// How the words of a command line become values. Each reader returns nothing where the word is
// none of its kind.

namespace belay::runner {

std::optional<bool> to_flag(std::string_view text);
/// Digits only, both ends included.
std::optional<std::int64_t> to_number(std::string_view text, std::int64_t least, std::int64_t most);
/// A time: digits and s, m, h or nothing, which means seconds.
std::optional<std::int64_t> to_seconds(std::string_view text);
/// Split at blanks, as deploy-rs splits --ssh-opts; empty words are dropped.
std::vector<std::string> to_words(std::string_view text);
/// What is wrong with `PATH`, `-` or `fd:N`.
std::optional<std::string> check_events_target(std::string_view text);

} // namespace belay::runner
