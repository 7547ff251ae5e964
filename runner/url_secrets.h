// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

// A flake's URL may hold what opens its source: a password or an access token before the host, or a
// parameter that is one. What belay prints and writes must not repeat it. Over http the name alone
// may be the token ("https://ghp_…@github.com/…"); over ssh it is a login ("git@"), and no secret.

namespace belay::runner {

/// What is secret in each URL that stands anywhere in `text`, as it is written there and, where
/// that differs, without its percent escapes.
std::vector<std::string> url_secrets(std::string_view text);

/// One reference without them: an http URL without all that stands before its host, others without
/// a password there, any without parameters that are secrets. What has none is returned as it is.
std::string without_url_secrets(const std::string& reference);

} // namespace belay::runner
