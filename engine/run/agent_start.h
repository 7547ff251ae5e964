// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"
#include "engine/base/secret.h"
#include "engine/ssh/transport.h"

#include <memory>
#include <string>

// How an agent is started: as the login itself, or through sudo (or what the plan names instead)
// as the owner of the profiles. No word of the plan reaches the target's shell unquoted. Where the
// way leads through sudo and no agent greets, it is mostly sudo that said no, and whoever reads
// that wants to know what to write into the target's sudoers.

namespace belay::run {

struct AgentStart {
  std::string agent; ///< program on the target
  std::string login; ///< user of the ssh login, for messages
  std::string user;  ///< who runs the agent; empty = the login itself, without sudo
  std::string sudo;  ///< words, split at white space; the user follows them
  std::shared_ptr<const Secret> password; ///< null = none is expected to be asked for
  std::string verb = "serve";             ///< or "store"
  bool operator==(const AgentStart&) const = default;
};

/// `[SUDO… USER [-S -p MARKER]] AGENT VERB`, each word quoted; the options only where there is a
/// marker. Throws Error{invalid_plan} for a user that is no user name
/// ([A-Za-z0-9_][A-Za-z0-9_.-]*\$?).
std::string serve_command(const AgentStart& start, const std::string& marker = {});

/// What must be added to the target's sudoers (doas.conf) for `start` to work.
std::string permission_line(const AgentStart& start);

/// How a command ended that was to start an agent and brought no greeting.
struct FailedStart {
  std::string command;
  ssh::ChannelEnd end;
  std::string printed;   ///< on stdout
  bool answered = false; ///< sudo asked for the password and got it
};

/// Error{secret} for a password that sudo did not take, Error{no_privilege} where the login may not
/// become the user (with the line that would allow it), else Error{agent_missing}. Pure.
Error start_failure(const AgentStart& start, const FailedStart& failed);

} // namespace belay::run
