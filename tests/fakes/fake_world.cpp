// SPDX-License-Identifier: Apache-2.0
#include "tests/fakes/fake_world.h"

#include "engine/base/error.h"

#include <algorithm>

namespace belay::fakes {

using agent::State;

StorePath fake_path(const std::string& name) {
  std::string hash(32, '0');
  for (std::size_t i = 0; i < name.size(); ++i) {
    hash[i % 32] = "0123456789abcdfghijklmnpqrsvwxyz"[(static_cast<unsigned char>(name[i]) +
                                                       static_cast<unsigned char>(hash[i % 32])) %
                                                      32];
  }
  return *StorePath::parse("/nix/store/" + hash + "-" + name);
}

namespace {

/// Whether it ends at all.
bool run_to_its_end(FakeHost& host, const Script& script) {
  if (script.drops_connections || script.cuts_network) {
    ++host.epoch;
    host.reachable = !script.cuts_network;
  }
  host.hushed += script.hushes_connections ? 1 : 0;
  if (script.meanwhile) {
    script.meanwhile();
  }
  return !script.for_ever;
}

} // namespace

agent::ProfileStatus FakeWorld::status(const FakeHost& host,
                                       const FakeTransaction::Profile& profile) const {
  agent::ProfileStatus status;
  status.name = profile.request.name;
  status.profile_path = "/nix/var/nix/profiles/" + profile.request.name;
  status.state = profile.state;
  status.reason = profile.reason;
  status.recorded = profile.recorded;
  status.made = profile.made;
  if (const auto found = host.generations.find(profile.request.name);
      found != host.generations.end() && !found->second.empty()) {
    status.current = {static_cast<int>(found->second.size()), found->second.back()};
  }
  status.closure = profile.request.closure;
  status.closure_matches = status.current.path == profile.request.closure;
  if (profile.state == State::awaiting_confirm) {
    status.confirm_left = std::max(profile.confirm_by - BootClock::now(), Duration::zero());
  }
  return status;
}

agent::TransactionStatus FakeWorld::describe(const FakeHost& host,
                                             const FakeTransaction& transaction) const {
  agent::TransactionStatus result;
  result.transaction = transaction.id;
  for (const auto& profile : transaction.profiles) {
    result.profiles.push_back(status(host, profile));
    if (profile.request.boot_after_confirm && !host.old_agent) {
      result.details["boot_default"] = "after-confirm";
    }
    if (profile.request.mode != agent::Mode::activate && !host.old_agent) {
      result.details["mode"] = name_of(profile.request.mode);
    }
  }
  return result;
}

agent::ReplyBody FakeWorld::prepare(FakeHost& host, const std::string& place,
                                    const agent::PrepareRequest& request) {
  if (++host.prepares == host.cut_prepare) {
    ++host.epoch;
  }
  if (!host.lock_holder.empty() && host.lock_meetings != 0) {
    host.lock_meetings -= host.lock_meetings > 0 ? 1 : 0;
    auto details = host.lock_details;
    details["run"] = host.lock_holder;
    return agent::Refusal{"lock-held", "held by run " + host.lock_holder, details};
  }
  for (const auto& [id, open] : host.transactions) {
    if (open.place == place && !open.finished) {
      return agent::Refusal{"lock-held",
                            "held by transaction " + id,
                            {{"run", open.run}, {"node", open.node}, {"transaction", id}}};
    }
  }
  FakeTransaction transaction;
  transaction.place = place;
  transaction.run = request.run;
  transaction.node = request.node;
  transaction.id = "tx-" + std::to_string(++opened_);
  for (const auto& wanted : request.profiles) {
    if (!host.store.contains(wanted.closure)) {
      return agent::Refusal{"path-invalid", wanted.closure + " is not valid", {}};
    }
    FakeTransaction::Profile profile;
    profile.request = wanted;
    profile.recorded = status(host, profile).current;
    transaction.profiles.push_back(profile);
  }
  const auto id = transaction.id;
  auto reply = describe(host, host.transactions.emplace(id, transaction).first->second);
  reply.earlier = host.earlier;
  return reply;
}

void FakeWorld::activate(FakeHost& host, FakeTransaction& transaction,
                         FakeTransaction::Profile& profile, const Tell& tell) {
  if (profile.state != State::prepared) {
    return; // asked again after a lost connection
  }
  const auto script = scripts[profile.request.closure];
  if (profile.request.mode == agent::Mode::dry) {
    return try_out(host, transaction, profile, tell);
  }
  auto& generations = host.generations[profile.request.name];
  if (generations.empty() || generations.back() != profile.request.closure) {
    generations.push_back(profile.request.closure);
  }
  host.activated.push_back(profile.request.closure);
  if (!profile.request.boot_after_confirm) {
    host.boot_default[profile.request.name] = profile.request.closure;
  }
  profile.state = State::switched;
  profile.made = static_cast<int>(generations.size());
  tell(agent::StatusChanged{transaction.id, status(host, profile)});
  if (!run_to_its_end(host, script)) {
    return;
  }
  if (script.exit_status != 0) {
    if (profile.request.auto_rollback) {
      roll_back(host, transaction, profile, "activation-failed", tell);
    } else {
      profile.state = State::failed;
      profile.reason = "activation-failed";
    }
  } else if (profile.request.magic_rollback && !host.confirms_by_itself) {
    profile.state = State::awaiting_confirm;
    profile.confirm_by = BootClock::now() + profile.request.confirm_timeout;
  } else {
    profile.state = State::confirmed;
  }
  tell(agent::StatusChanged{transaction.id, status(host, profile)});
}

void FakeWorld::try_out(FakeHost& host, FakeTransaction& transaction,
                        FakeTransaction::Profile& profile, const Tell& tell) {
  const auto script = scripts[profile.request.closure];
  host.tried.push_back(profile.request.closure);
  if (!run_to_its_end(host, script)) {
    return;
  }
  profile.state = script.exit_status == 0 ? State::dry_run : State::failed;
  profile.reason = script.exit_status == 0 ? "" : "activation-failed";
  tell(agent::StatusChanged{transaction.id, status(host, profile)});
}

void FakeWorld::roll_back(FakeHost& host, FakeTransaction& transaction,
                          FakeTransaction::Profile& profile, const std::string& reason,
                          const Tell& tell) {
  profile.reason = reason;
  if (host.rollback_fails) {
    profile.state = State::rollback_failed;
  } else {
    auto& generations = host.generations[profile.request.name];
    if (profile.recorded.path != profile.request.closure) {
      generations.pop_back();
    }
    if (!profile.recorded.path.empty()) {
      host.activated.push_back(profile.recorded.path);
      host.boot_default[profile.request.name] = profile.recorded.path;
    }
    profile.state = State::rolled_back;
    if (scripts[profile.request.closure].cuts_network) {
      host.reachable = true; // the old generation brings the network back
    }
    if (host.opens_when_back) {
      host.refuses_confirm = false;
      host.closed_logins.clear();
    }
  }
  tell(agent::StatusChanged{transaction.id, status(host, profile)});
}

void FakeWorld::set_boot_default(FakeHost& host, FakeTransaction& transaction,
                                 FakeTransaction::Profile& profile, const Tell& tell) {
  const auto script = scripts[profile.request.closure];
  if (script.boot_exit_status == 0) {
    host.boot_default[profile.request.name] = profile.request.closure;
    profile.state = State::confirmed;
  } else if (profile.request.auto_rollback) {
    roll_back(host, transaction, profile, "boot-default-failed", tell);
  } else {
    profile.state = State::failed;
    profile.reason = "boot-default-failed";
  }
  tell(agent::StatusChanged{transaction.id, status(host, profile)});
}

void FakeWorld::tick(FakeHost& host, const Tell& tell) {
  for (auto& [id, transaction] : host.transactions) {
    for (auto& profile : transaction.profiles) {
      if (profile.state == State::setting_boot_default && profile.boot_looks-- == 0) {
        set_boot_default(host, transaction, profile, tell);
      }
      if (profile.state == State::awaiting_confirm &&
          (transaction.abandoned || BootClock::now() >= profile.confirm_by)) {
        if (host.generations[profile.request.name].back() != profile.request.closure) {
          profile.state = State::superseded;
          tell(agent::StatusChanged{transaction.id, status(host, profile)});
          continue;
        }
        roll_back(host, transaction, profile,
                  transaction.abandoned ? "abandoned" : "confirm-timeout", tell);
      }
    }
  }
}

agent::ReplyBody FakeWorld::handle(FakeHost& host, const std::string& place,
                                   const agent::RequestBody& body, const Tell& tell) {
  if (const auto* request = std::get_if<agent::PrepareRequest>(&body)) {
    return prepare(host, place, *request);
  }
  if (const auto* log = std::get_if<agent::LogRequest>(&body)) { // also of those before this run
    if (!host.keeps_log) {
      return agent::Refusal{"system", "cannot be read", {}};
    }
    ++host.log_requests;
    const auto from = std::min(static_cast<std::size_t>(log->offset), host.log.size());
    return agent::LogPart{host.log.substr(from, host.log_part)};
  }
  const auto id = std::visit(
      [](const auto& request) -> std::string {
        if constexpr (requires { request.transaction; }) {
          return request.transaction;
        }
        return {};
      },
      body);
  const auto found = host.transactions.find(id);
  if (found == host.transactions.end() || found->second.finished || found->second.place != place) {
    return agent::Refusal{"unknown-transaction", "there is no transaction " + id, {}};
  }
  auto& transaction = found->second;
  const auto profile_of = [&](const std::string& name) -> FakeTransaction::Profile& {
    return *std::find_if(transaction.profiles.begin(), transaction.profiles.end(),
                         [&](const auto& profile) { return profile.request.name == name; });
  };
  if (const auto* request = std::get_if<agent::ActivateRequest>(&body)) {
    if (host.refuses_activate) {
      return agent::Refusal{"protocol", "this transaction is ending", {}};
    }
    activate(host, transaction, profile_of(request->profile), tell);
    if (host.fails_after_activate) {
      return agent::Refusal{"protocol", "it was begun already", {}};
    }
  } else if (const auto* confirm = std::get_if<agent::ConfirmRequest>(&body)) {
    auto& profile = profile_of(confirm->profile);
    if (profile.state == State::awaiting_confirm) {
      profile.state =
          profile.request.boot_after_confirm ? State::setting_boot_default : State::confirmed;
    }
    return agent::Decision{profile.state, status(host, profile)};
  } else if (std::holds_alternative<agent::StateRequest>(body)) {
    if (host.states_refused > 0) {
      --host.states_refused;
      return agent::Refusal{"system", "cannot fork", {}};
    }
    ++transaction.looks;
    return describe(host, transaction);
  } else if (const auto* revoke = std::get_if<agent::RevokeRequest>(&body)) {
    auto& profile = profile_of(revoke->profile);
    if (host.generations[revoke->profile].back() != profile.request.closure) {
      profile.state = State::superseded;
      tell(agent::StatusChanged{transaction.id, status(host, profile)});
    } else {
      roll_back(host, transaction, profile, "revoked", tell);
    }
    if (host.on_revoke) {
      host.on_revoke();
    }
    if (host.fails_after_revoke) {
      return agent::Refusal{"system", "out of file descriptors", {}};
    }
  } else if (std::holds_alternative<agent::AbandonRequest>(body)) {
    transaction.abandoned = true;
  } else {
    transaction.finished = true;
  }
  return agent::Accepted{};
}

} // namespace belay::fakes
