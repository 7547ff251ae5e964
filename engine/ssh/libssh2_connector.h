// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/ssh/connection.h"
#include "engine/ssh/connector.h"

#include <memory>

// SSH inside this process, by libssh2. It opens a TCP connection of its own (never one that a
// control master keeps), checks the host key, logs in with keys. What it cannot do as the user's
// ssh would (certificates, a key exchange without common method) is Error{transport_unsupported}
// that names the thing: the sign to use the ssh program for that node.

namespace belay::ssh {

class Libssh2Connector final : public Connector {
public:
  explicit Libssh2Connector(SshShared& shared) : shared_(shared) {}

  std::unique_ptr<Session> connect_once(const ConnectAttempt& attempt) override;

private:
  HostKeyExpectation expect(const ConnectAttempt& attempt);
  void shake_hands(Connection& connection, const HostKeyExpectation& expectation, const Wait& wait);
  void check_host_key(Connection& connection, HostKeyExpectation expectation,
                      const ConnectAttempt& attempt);

  SshShared& shared_;
};

} // namespace belay::ssh
