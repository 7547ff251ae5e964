// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/process.h"
#include "engine/ssh/connection.h"
#include "engine/ssh/handshake_gate.h"
#include "engine/ssh/host_key.h"
#include "engine/ssh/known_hosts.h"
#include "engine/ssh/ssh_config.h"
#include "engine/ssh/transport.h"

#include <functional>
#include <memory>
#include <mutex>
#include <string>

// SSH inside this process, by libssh2. It asks the ssh program how the user would reach the host,
// opens a TCP connection of its own (never one that a control master keeps), checks the host key,
// logs in with keys. What it cannot do as the user's ssh would (jump hosts, proxy commands,
// certificates, an ssh_config key that it does not know, a key exchange without common method) is
// Error{transport_unsupported} that names the thing: the sign to use the ssh program for that node.

namespace belay::ssh {

struct Libssh2Options {
  std::string ssh_program = find_program("ssh");           ///< empty = there is none
  std::string keygen_program = find_program("ssh-keygen"); ///< likewise
  Duration connect_timeout = std::chrono::seconds(15); ///< TCP and key exchange, where ssh_config
                                                       ///< has no ConnectTimeout
  Duration login_timeout = std::chrono::seconds(60);   ///< half of sshd's LoginGraceTime
  KeepAlive keep_alive = {};
  std::size_t handshakes_per_host = 8; ///< at once; sshd's MaxStartups begins to refuse at 10
  int max_attempts = 6;                ///< some 6 s of back-off in all
  std::uint64_t jitter_seed = 1;
  /// Told what the user should know though it works; any thread.
  std::function<void(const std::string& node, const std::string& message)> on_warning = {};
};

class Libssh2Transport final : public Transport {
public:
  explicit Libssh2Transport(ProcessRunner& processes, Libssh2Options options = {});

  /// For Purpose::confirm: at once, one attempt, TCP and key exchange within min(5 s, a third of
  /// what is left).
  std::unique_ptr<Session> connect(const HostAddress& address, Purpose purpose,
                                   const RetrySink& on_retry, const Wait& wait) override;

private:
  struct Attempt;

  std::unique_ptr<Session> connect_resolved(const Attempt& attempt, const RetrySink& on_retry);
  std::unique_ptr<Session> connect_once(const Attempt& attempt);
  HostKeyExpectation expect(const Attempt& attempt);
  void shake_hands(Connection& connection, const HostKeyExpectation& expectation, const Wait& wait);
  void check_host_key(Connection& connection, const HostKeyExpectation& expectation,
                      const Attempt& attempt);
  Duration handshake_limit(const Attempt& attempt) const;
  void warn(const std::string& node, const std::string& message) const;

  Libssh2Options options_;
  SshConfig config_;
  KnownHosts known_hosts_;
  std::mutex adding_; ///< one line is added to known_hosts at a time
  SeenKeys seen_;
  HandshakeGate gate_;
};

} // namespace belay::ssh
