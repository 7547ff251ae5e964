// SPDX-License-Identifier: Apache-2.0
#include "engine/run/node_link.h"

#include <algorithm>
#include <map>

namespace belay::run {

Owner& NodeLink::owner_of(const plan::Profile& profile) {
  for (auto& owner : owners) {
    const auto& own = owner.profiles;
    if (std::find(own.begin(), own.end(), &profile) != own.end()) {
      return owner;
    }
  }
  throw Error(ErrorKind::internal, "no agent was started for profile " + profile.name);
}

WorkingConnection& NodeLink::connection_by(const plan::Login& login) {
  for (auto& connection : connections) {
    if (connection.login == login) {
      return connection;
    }
  }
  return connections.emplace_back(WorkingConnection{.login = login});
}

std::optional<Error> NodeLink::for_each_transaction(const std::function<void(Owner&)>& tell) {
  std::map<std::string, std::optional<Error>> told;
  for (auto& owner : owners) {
    const auto known = told.find(owner.transaction);
    if (owner.transaction.empty() || (known != told.end() && !known->second)) {
      continue;
    }
    try {
      tell(owner);
      told[owner.transaction].reset();
    } catch (const std::exception& error) {
      told[owner.transaction] = as_error(error);
    }
  }
  const auto untold =
      std::find_if(told.begin(), told.end(), [](const auto& one) { return one.second; });
  return untold == told.end() ? std::nullopt : untold->second;
}

void NodeLink::drop() {
  owners.clear();
  connections.clear();
}

std::vector<Owner*> NodeLink::due(const Ping& ping, const Owner* except) {
  std::vector<Owner*> found;
  for (auto& owner : owners) {
    const auto now = BootClock::now();
    const bool answered =
        owner.link.client && now - owner.link.client->last_request() < ping.contact.patience.ping;
    const bool for_later = !owner.link.client && (!ping.reconnects || now < owner.retry_at);
    if (&owner != except && !owner.transaction.empty() && !answered && !for_later) {
      found.push_back(&owner);
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const auto* one, const auto* other) {
    return one->retry_at < other->retry_at;
  });
  return found;
}

namespace {

constexpr Duration shortest_ping = std::chrono::seconds(1); // in less, a link that lives looks dead

/// Whether it answered.
bool ping_owner(Owner& owner, const Ping& ping) {
  const auto wait = ping.wait.within(silence_limit);
  try {
    if (!owner.link.client) {
      owner.link = connect_fresh(ping.contact, ping.node, owner, wait);
    }
    owner.link.client->call(agent::StateRequest{owner.transaction}, wait);
    return true;
  } catch (const std::exception&) { // in the pinger's thread, whose end it would be
    owner.link.client.reset();
    owner.retry_at = BootClock::now() + silence_limit;
    return false;
  }
}

} // namespace

void NodeLink::ping(const Ping& ping, const Owner* except) {
  for (auto* owner : due(ping, except)) {
    if (ping.wait.left() < shortest_ping || (!ping_owner(*owner, ping) && ping.brief)) {
      return;
    }
  }
}

namespace {

ssh::TransportChoice choice_of(plan::Transport transport) {
  switch (transport) {
  case plan::Transport::libssh2:
    return ssh::TransportChoice::libssh2;
  case plan::Transport::openssh:
    return ssh::TransportChoice::openssh;
  case plan::Transport::automatic:
    break;
  }
  return ssh::TransportChoice::automatic;
}

} // namespace

AgentStart start_for(const Contact& contact, const plan::Profile& profile,
                     const std::string& agent) {
  const bool same = profile.user == profile.login.user;
  AgentStart start{agent, profile.login.user, same ? "" : profile.user, profile.sudo, nullptr};
  if (profile.sudo_password && !same) {
    start.password = contact.passwords.at(*profile.sudo_password);
  }
  return start;
}

ssh::HostAddress address_of(const plan::Node& node, const plan::Login& login) {
  return {node.name,     node.hostname, login.user,
          login.options, node.host_key, choice_of(login.transport)};
}

Duration fresh_login_limit(const Wait& wait) {
  return std::clamp<Duration>(wait.left() / 3, std::chrono::seconds(5), std::chrono::seconds(15));
}

namespace {

/// In which a target that cannot be asked ends what it awaits a confirmation of.
Duration time_to_go_back(const Contact& contact, const Owner& owner) {
  auto longest = Duration::zero();
  for (const auto* profile : owner.profiles) {
    longest = std::max<Duration>(longest, profile->confirm_timeout);
  }
  return longest + contact.patience.verdict;
}

AgentLink log_in(const Contact& contact, const plan::Node& node, const Owner& owner,
                 const Wait& wait) {
  if (contact.offers) {
    contact.offers->admit(node.name, owner.start);
  }
  AgentLink link;
  link.session =
      contact.transport.connect(address_of(node, owner.login), ssh::Purpose::confirm, {}, wait);
  try {
    link.client = std::make_unique<AgentClient>(*link.session, owner.start, wait);
  } catch (const Error& error) {
    if (contact.offers && error.kind() == ErrorKind::secret) {
      contact.offers->turned_down(node.name, owner.start, time_to_go_back(contact, owner));
    }
    throw;
  }
  if (contact.offers) {
    contact.offers->taken(node.name, owner.start);
  }
  return link;
}

} // namespace

AgentLink connect_fresh(const Contact& contact, const plan::Node& node, const Owner& owner,
                        const Wait& wait) {
  try {
    return log_in(contact, node, owner, wait);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) { // whoever connects tries again after an Error only
    throw as_error(error);
  }
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
                    : refusal.reason == "no-activation" ? ErrorKind::no_activation
                    : refusal.reason == "system"        ? ErrorKind::system
                                                        : ErrorKind::protocol;
  return Error(kind,
               refusal.message.empty() ? "the agent refused: " + refusal.reason : refusal.message);
}

} // namespace belay::run
