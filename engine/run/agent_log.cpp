// SPDX-License-Identifier: Apache-2.0
#include "engine/run/agent_log.h"

#include "engine/agent/deploy_log.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

namespace belay::run {

std::string read_agent_log(AgentClient& client, const std::string& transaction, const Wait& wait) {
  std::string log;
  while (log.size() < 2 * agent::deploy_log_limit) { // a target may tell what it likes
    const auto offset = static_cast<std::int64_t>(log.size());
    const auto reply = client.call(agent::LogRequest{transaction, offset}, wait);
    if (const auto* refusal = std::get_if<agent::Refusal>(&reply)) {
      throw Error(ErrorKind::protocol, refusal->message);
    }
    const auto* part = std::get_if<agent::LogPart>(&reply);
    if (part == nullptr) {
      throw Error(ErrorKind::protocol, "the agent answered log with something else");
    }
    if (part->text.empty()) {
      break;
    }
    log += part->text;
  }
  return std::string(tail(log, agent_log_limit));
}

} // namespace belay::run
