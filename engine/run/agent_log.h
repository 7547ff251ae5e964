// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/run/agent_client.h"

#include <cstddef>
#include <string>

// The target's own log of a deploy (engine/agent/deploy_log.h), for the report of a run that was
// not there to see it all: contact was lost, or another run had begun it.

namespace belay::run {

/// The stream of the log events.
inline constexpr const char* agent_log_stream = "agent-log";
/// The most that is fetched: the end of it.
inline constexpr std::size_t agent_log_limit = 64 * 1024;

/// Throws what AgentClient::call throws, and Error{protocol} where the target knows of no such log
/// or its agent of no logs.
std::string read_agent_log(AgentClient& client, const std::string& transaction, const Wait& wait);

} // namespace belay::run
