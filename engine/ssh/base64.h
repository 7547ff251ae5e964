// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

// Base64 (RFC 4648, with padding), which is how keys are written in files. Pure, any thread.

namespace belay::ssh {

std::string base64_encode(std::string_view bytes);
/// nullopt for what is not base64; white space is not accepted, padding may be missing.
std::optional<std::string> base64_decode(std::string_view text);

} // namespace belay::ssh
