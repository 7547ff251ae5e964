// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/transaction_files.h"
#include "engine/base/process.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// How a keeper outlives the SSH session that asked for it. Where systemd manages the machine, root
// gets a transient unit: it survives a restarted sshd, the end of the login session and its own
// death. Another user gets one only where his manager lingers, since without that it dies with the
// last login. Everywhere else: a session of its own without any descriptor of ours.

namespace belay::agent {

enum class Detachment { systemd, systemd_user, session };
/// As in Hello: "systemd", "systemd-user", "session".
std::string_view name_of(Detachment detachment);
Detachment detachment_from(std::string_view name);

/// What this machine and user have.
Detachment find_detachment(ProcessRunner& processes);
/// Whether logind kills what a session leaves behind, which the weak form would not survive.
bool kills_user_processes(ProcessRunner& processes);

/// `recover` ends with the last decision, `keep` also waits for what its run still wants.
enum class KeeperVerb { keep, recover };

struct KeeperCommand {
  std::string agent; ///< whole path of this program
  TransactionFiles files;
  KeeperVerb verb = KeeperVerb::keep;
  bool restart = false;                  ///< nobody else starts it again when it dies
  std::vector<std::string> argv() const; ///< AGENT keep --state-directory DIR TX
};

/// The transient unit's command line. Never --pipe, never the channel: a script died of its next
/// `echo` once the client was gone.
std::vector<std::string> systemd_command(const KeeperCommand& command, Detachment detachment,
                                         const std::string& unit);
/// "belay-TX"
std::string keeper_unit(const TransactionFiles& files);

class Detacher {
public:
  virtual ~Detacher() = default;
  /// Starts a keeper and returns how it was done. Throws Error{system}.
  virtual Detachment start(const KeeperCommand& command) = 0;
};

class RealDetacher final : public Detacher {
public:
  RealDetacher(Detachment wanted, std::map<std::string, std::string> environment,
               ProcessRunner& processes)
      : wanted_(wanted), environment_(std::move(environment)), processes_(processes) {}
  /// Where systemd does not take the unit, not by another name either, a session does.
  Detachment start(const KeeperCommand& command) override;

private:
  std::optional<bool> start_unit(const KeeperCommand& command, const std::string& unit);
  Detachment wanted_;
  std::map<std::string, std::string> environment_;
  ProcessRunner& processes_;
};

/// The whole path of the running program.
std::string own_program();

} // namespace belay::agent
