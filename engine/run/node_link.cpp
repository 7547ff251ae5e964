// SPDX-License-Identifier: Apache-2.0
#include "engine/run/node_link.h"


#include <algorithm>

namespace belay::run {

Owner& NodeLink::owner_of(const plan::Profile& profile) {
  const auto found = std::find_if(owners.begin(), owners.end(),
                                  [&](const Owner& owner) { return owner.user == profile.user; });
  if (found == owners.end()) {
    throw Error(ErrorKind::internal, "no agent was started for user " + profile.user);
  }
  return *found;
}

void NodeLink::drop() {
  owners.clear();
  session.reset();
}

void NodeLink::ping(Duration quiet) {
  for (auto& owner : owners) {
    if (owner.transaction.empty() || !owner.link.client ||
        BootClock::now() - owner.link.client->last_request() < quiet) {
      continue;
    }
    try {
      owner.link.client->call(agent::StateRequest{owner.transaction},
                              Wait::at_most(2 * silence_limit));
    } catch (const Error&) {
      owner.link.client.reset(); // whoever needs it next connects anew
    }
  }
}

ssh::HostAddress address_of(const plan::Node& node) {
  return {node.name, node.hostname, node.ssh_user, node.ssh_opts, node.host_key};
}

AgentLink connect_fresh(const Contact& contact, const plan::Node& node, const Owner& owner,
                        const Wait& wait) {
  AgentLink link;
  link.session = contact.transport.connect(address_of(node), ssh::Purpose::confirm, {}, wait);
  link.client = std::make_unique<AgentClient>(*link.session, owner.command, wait);
  return link;
}

agent::ProfileStatus status_of(const agent::TransactionStatus& status, const std::string& profile) {
  for (const auto& candidate : status.profiles) {
    if (candidate.name == profile) {
      return candidate;
    }
  }
  throw Error(ErrorKind::protocol, "the agent's answer does not name profile " + profile);
}

Error error_of(const agent::Refusal& refusal) {
  const auto kind = refusal.reason == "lock-held"       ? ErrorKind::lock_held
                    : refusal.reason == "path-invalid"  ? ErrorKind::copy_failed
                    : refusal.reason == "nix-missing"   ? ErrorKind::nix_missing
                    : refusal.reason == "no-activation" ? ErrorKind::invalid_plan
                    : refusal.reason == "system"        ? ErrorKind::system
                                                        : ErrorKind::protocol;
  return Error(kind,
               refusal.message.empty() ? "the agent refused: " + refusal.reason : refusal.message);
}

} // namespace belay::run
