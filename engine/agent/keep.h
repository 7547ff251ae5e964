// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/detach.h"
#include "engine/base/clock.h"
#include "engine/base/process.h"

#include <filesystem>
#include <string>

// `belay-agent keep TX` and `recover`: the process that owns a transaction from its first change to
// its end, put together from the real parts. A keep that is started again, by systemd or by serve,
// finds that it is not the first and recovers before anything else.

namespace belay::agent {

/// Owns the transaction until it is closed. Returns the exit status: 0 also where another keeper
/// has it or it is closed already; recover: 1 where there is no such transaction, or none that can
/// be read. keep: 0 there, too: whoever keeps starting it would do so for ever.
int keep(const TransactionFiles& files, KeeperVerb verb, ProcessRunner& processes, Clock& clock);

/// The same in a child, and in another one where that dies: what Restart=on-failure is to a unit.
int keep_restarting(const TransactionFiles& files, KeeperVerb verb, ProcessRunner& processes,
                    Clock& clock);

/// Ends every open transaction that no living keeper owns, each in a process of its own, because
/// each has surroundings of its own, and by the agent that began it, where that is still there. One
/// that is killed is begun again, a few times.
int recover_all(const std::filesystem::path& state_directory, ProcessRunner& processes);

} // namespace belay::agent
