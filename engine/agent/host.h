// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/boot_unit.h"
#include "engine/agent/detach.h"
#include "engine/agent/record.h"
#include "engine/agent/transaction_files.h"
#include "engine/base/clock.h"
#include "engine/base/process.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

// The machine and the user for whom this agent works, found once at its start.

namespace belay::agent {

struct Host {
  Surroundings surroundings; ///< HOME is the profile user's
  std::string user;          ///< by `id -un`
  std::int64_t uid = 0;
  std::string system; ///< "x86_64-linux"
  std::filesystem::path state_directory;
  Detachment detachment = Detachment::session;
  std::string program; ///< whole path of this agent

  ProcessRunner& processes;
  Clock& clock;
};

/// Looks around. `state_directory`: nullopt = the default. Throws Error{system}.
Host look_around(std::optional<std::filesystem::path> state_directory, ProcessRunner& processes,
                 Clock& clock);

/// The agent that began a transaction: it knows its files best. nullopt where that is gone.
std::optional<std::string> agent_of(const TransactionFiles& files);

/// Starts a keeper, by the agent that began it where that is still there and comes, unless there is
/// one.
/// Returns once one holds the lock, or the transaction is closed: how it was started (as this host
/// should, where that was not by us); nullopt where none came.
std::optional<Detachment> ensure_keeper(const TransactionFiles& files, const Host& host,
                                        KeeperVerb verb = KeeperVerb::keep);

} // namespace belay::agent
