// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/ssh/connector.h"
#include "engine/ssh/libssh2_connector.h"
#include "engine/ssh/openssh_connector.h"

#include <memory>
#include <mutex>
#include <set>
#include <string>

// The one Transport. It asks the ssh program how the user would reach the host and has a connector
// make the connection: libssh2 in this process, which costs least, or the ssh program, which can
// everything. A node that may be reached either way begins with libssh2. Where that cannot do what
// ssh_config or the host asks for, the node moves to the ssh program for the rest of the run, and
// this is said once.

namespace belay::ssh {

class SshTransport final : public Transport {
public:
  explicit SshTransport(ProcessRunner& processes, SshOptions options = {});

  /// For Purpose::confirm: at once, one attempt, TCP and key exchange within min(5 s, a third of
  /// what is left).
  std::unique_ptr<Session> connect(const HostAddress& address, Purpose purpose,
                                   const RetrySink& on_retry, const Wait& wait) override;

private:
  std::unique_ptr<Session> connect_by_choice(const ConnectAttempt& attempt,
                                             const RetrySink& on_retry);
  std::unique_ptr<Session> try_libssh2(const ConnectAttempt& attempt, const RetrySink& on_retry);
  std::unique_ptr<Session> retry(Connector& connector, const ConnectAttempt& attempt,
                                 const RetrySink& on_retry);
  bool moved(const std::string& node) const;
  void move(const std::string& node, const std::string& why);

  SshShared shared_;
  Libssh2Connector libssh2_;
  OpensshConnector openssh_;
  mutable std::mutex mutex_;
  std::set<std::string> moved_; ///< nodes that need the ssh program
};

} // namespace belay::ssh
