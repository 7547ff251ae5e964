// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

// Standard Webhooks 1.0.0: the receiver can tell that a message is ours, whole and fresh. What is
// signed is `id.timestamp.body`; the timestamp is the attempt's, so each attempt is signed anew.

namespace belay::reporters {

/// The key of "whsec_" plus base64 of 24 to 64 bytes, as the standard has it. Throws Error{secret}
/// for anything else (an empty secret above all); the message does not hold the secret.
std::string webhook_key(std::string_view secret);

/// What of a secret is secret: all but "whsec_".
std::string_view webhook_key_text(std::string_view secret);

/// The value of the header `webhook-signature`: "v1,BASE64", one for each key (two while a secret
/// is being replaced), with blanks between them.
std::string webhook_signature(const std::vector<std::string>& keys, std::string_view id,
                              std::string_view timestamp, std::string_view body);

} // namespace belay::reporters
