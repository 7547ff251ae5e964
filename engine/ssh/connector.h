// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/ssh/handshake_gate.h"
#include "engine/ssh/host_keys.h"
#include "engine/ssh/keep_alive.h"
#include "engine/ssh/ssh_config.h"
#include "engine/ssh/transport.h"

#include <memory>
#include <string>

// The two ways to make a connection, in this process and by the ssh program, as their transport
// sees them: one attempt each, on a host that is resolved already. They share what they know.

namespace belay::ssh {

struct SshOptions {
  std::string ssh_program = find_program("ssh");           ///< empty = there is none
  std::string keygen_program = find_program("ssh-keygen"); ///< likewise
  Duration connect_timeout = std::chrono::seconds(15); ///< TCP and key exchange, where ssh_config
                                                       ///< has no ConnectTimeout
  Duration login_timeout = std::chrono::seconds(60);   ///< half of sshd's LoginGraceTime
  KeepAlive keep_alive = {};
  std::size_t handshakes_per_host = 8; ///< at once; sshd's MaxStartups begins to refuse at 10
  int max_attempts = 6;                ///< some 6 s of back-off in all
  std::uint64_t jitter_seed = 1;
  NoticeSink on_notice = {}; ///< told what the user should know though it works; any thread
};

/// What all connections of a run share. Any thread.
struct SshShared {
  SshShared(ProcessRunner& runner, SshOptions given)
      : processes(runner), options(std::move(given)), config(processes, options.ssh_program),
        host_keys(processes, options.keygen_program, options.on_notice),
        gate(options.handshakes_per_host, options.jitter_seed) {}

  ProcessRunner& processes;
  SshOptions options;
  SshConfig config;
  HostKeys host_keys;
  HandshakeGate gate;
};

/// One login of one host.
struct ConnectAttempt {
  const HostAddress& address;
  const ResolvedHost& host;
  Purpose purpose;
  const Wait& wait;
  std::string who;         ///< "web-1 (deploy@10.0.0.1:22)"
  std::string destination; ///< "host:port"
  std::string place;       ///< and the way there: by another one it may be another host

  /// How long TCP and key exchange may take; a confirming login gets min(5 s, a third of what is
  /// left).
  Duration handshake_limit(Duration otherwise) const;
};

/// Any thread, many at once.
class Connector {
public:
  virtual ~Connector() = default;
  /// Throws ConnectFailure where another attempt may help, Error{transport_unsupported} where the
  /// other connector may, and as Transport::connect does.
  virtual std::unique_ptr<Session> connect_once(const ConnectAttempt& attempt) = 0;
};

} // namespace belay::ssh
