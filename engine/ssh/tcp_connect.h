// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/cancel.h"
#include "engine/base/file.h"
#include "engine/ssh/connect_failure.h"
#include "engine/ssh/ssh_config.h"

#include <cstdint>
#include <string>

// A TCP connection to a name. All addresses are tried, each a little after the one before (RFC
// 8305), and the first that answers is taken: a dead IPv6 route costs a quarter of a second, not a
// timeout. Names are looked up in a thread of its own, since the system's look-up knows neither
// deadline nor cancel; one that is given up ends by itself.

namespace belay::ssh {

struct TcpConnectOptions {
  std::string host;
  std::uint16_t port = 22;
  AddressFamily family = AddressFamily::any;
};

/// The connected socket: non-blocking, close-on-exec, TCP_NODELAY. Throws ConnectFailure
/// (refused and reset are temporary), Error{cancelled}.
UniqueFd tcp_connect(const TcpConnectOptions& options, const Wait& wait);

} // namespace belay::ssh
