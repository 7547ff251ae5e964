// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/file.h"
#include "engine/base/process.h"
#include "engine/ssh/connector.h"
#include "engine/ssh/ssh_log.h"
#include "engine/ssh/ssh_route.h"

#include <memory>
#include <string>
#include <vector>

// SSH by the ssh program: all that the user's ssh can do. Each session gets a control master of its
// own (control_master.h) over a route of its own (ssh_route.h); nothing that the user's ssh keeps
// open is ever used. ssh checks host keys itself, as configured; a pinned key, and one that this
// run has met before, are put before it as the only one that it may accept.

namespace belay::ssh {

class OpensshConnector final : public Connector {
public:
  explicit OpensshConnector(SshShared& shared) : shared_(shared) {}

  std::unique_ptr<Session> connect_once(const ConnectAttempt& attempt) override;

private:
  struct Login;

  std::vector<HandshakeGate::Place> enter_gates(const Login& login);
  std::vector<std::string> trust_only(Login& login, const KnownKey& key, TrustedKey why);
  std::vector<std::string> host_key_options(Login& login);
  std::vector<std::string> command_line(Login& login);
  void run_ssh(Login& login);
  static void end_master(const std::filesystem::path& folder);
  void judge_keys(const Login& login);
  void judge_key(const SshLog& log, const std::string& place, const std::string& whose);
  [[noreturn]] void fail(const Login& login, const ProcessResult& result);

  SshShared& shared_;
};

} // namespace belay::ssh
