// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <libssh2.h>

#include <string>

// Why a key exchange came to nothing. libssh2 only says that it did; the server's first message
// (RFC 4253, section 7.1: the methods that it takes, in clear) says which of them we have none of.

namespace belay::ssh {

/// "no common MAC: the server takes only umac-64@openssh.com"; empty where nothing is missing or
/// the message cannot be read. `greeting` begins with the server's version line; `host_keys` are
/// the types that we take, separated by commas.
std::string missing_method(LIBSSH2_SESSION* session, const std::string& greeting,
                           const std::string& host_keys);

} // namespace belay::ssh
