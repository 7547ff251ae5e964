// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// What a plan may write as a node's hostname: an alias or a name, either with a port, an IPv4
// address, an IPv6 address bare or in brackets, and a user before any of them.

namespace belay::ssh {

struct Target {
  std::string user; ///< empty = not said
  std::string host; ///< without brackets
  std::optional<std::uint16_t> port;
};

/// Throws Error{invalid_plan} for an empty host, a host that starts with a dash (`ssh` would take
/// it for an option) or holds blanks or control characters, and for a port outside 1 to 65535.
Target parse_target(std::string_view hostname);

/// "host:22", "[::1]:22".
std::string host_and_port(std::string_view host, std::uint16_t port);

} // namespace belay::ssh
