// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/json_fields.h"
#include "engine/agent/protocol.h"

// The JSON form of the protocol's parts that are also written to disk (the transaction's record
// keeps its request) or printed (`belay-agent status --json`).

namespace belay::agent {

Json to_json(const ProfileStatus& status);
ProfileStatus profile_status_from(const Json& json);

Json to_json(const PrepareRequest& request);
/// Throws Error{protocol}, also for timeouts outside 0 s to 30 days.
PrepareRequest prepare_request_from(const Json& json);

Json to_json(const Generation& generation);
Generation generation_from(const Json& json);

Json details_json(const std::map<std::string, std::string>& details);
std::map<std::string, std::string> details_from(const Json& json);

} // namespace belay::agent
