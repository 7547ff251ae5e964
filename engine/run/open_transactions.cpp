// SPDX-License-Identifier: Apache-2.0
#include "engine/run/open_transactions.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/agent_log.h"
#include "engine/run/lock_turn.h"

#include <algorithm>
#include <string>
#include <vector>

namespace belay::run {

using event::Stage;

namespace {

constexpr Duration agent_start_limit = std::chrono::seconds(60);
constexpr Duration earlier_log_limit = std::chrono::seconds(10);

agent::Mode mode_of(const plan::Profile& profile) {
  switch (profile.mode) {
  case plan::Mode::activate:
    break;
  case plan::Mode::dry_activate:
    return agent::Mode::dry;
  case plan::Mode::boot:
    return agent::Mode::boot;
  }
  return agent::Mode::activate;
}

class Opener {
public:
  explicit Opener(const Opening& of) : of_(of) {}

  void open() {
    find_owners();
    try {
      for (auto& owner : of_.link.owners) { // a login or a sudo that takes its time holds nothing
        start_agent(owner);
      }
      for (auto& owner : of_.link.owners) {
        if (owner.transaction.empty()) {
          lock(together_with(owner));
        }
      }
    } catch (...) {
      release();
      throw;
    }
  }

private:
  void find_owners() {
    for (const auto& profile : of_.node.profiles) {
      auto& owner = owner_for(profile);
      owner.profiles.push_back(&profile);
    }
  }

  Owner& owner_for(const plan::Profile& profile) {
    const auto& agent = *of_.link.connection_by(profile.login).agent;
    auto start = start_for(of_.contact, profile, agent.string());
    for (auto& owner : of_.link.owners) {
      if (owner.login == profile.login && owner.start == start) {
        return owner;
      }
    }
    Owner owner;
    owner.login = profile.login;
    owner.user = profile.user;
    owner.start = std::move(start);
    return of_.link.owners.emplace_back(std::move(owner));
  }

  void start_agent(Owner& owner) {
    of_.stages.start(*owner.profiles.front(), Stage::lock);
    const auto& connection = of_.link.connection_by(owner.login);
    owner.link.session = connection.session;
    try {
      owner.link.client = std::make_unique<AgentClient>(
          *owner.link.session, owner.start, Wait::at_most(agent_start_limit, of_.cancel));
    } catch (const Error& error) {
      if (connection.foreign.empty() || error.kind() == ErrorKind::cancelled) {
        throw;
      }
      throw Error(error.kind(), error.message() +
                                    "; it is the closure's own, since this belay has " +
                                    "none for " + connection.foreign + ": build one and name its " +
                                    "folder in BELAY_AGENT_DIR");
    }
  }

  /// `first` and who has to share its transaction: owners whose agents keep their state in the same
  /// place would find each other's lock. Whether two logins lead there, only the target can say.
  std::vector<Owner*> together_with(Owner& first) {
    const auto& place = first.link.client->hello().state_id;
    std::vector<Owner*> owners = {&first};
    for (auto& other : of_.link.owners) {
      if (&other == &first || other.user != first.user || !other.transaction.empty()) {
        continue;
      }
      if (!place.empty() && other.link.client->hello().state_id == place) {
        owners.push_back(&other);
      }
    }
    return owners;
  }

  /// Their profiles, in the plan's order.
  std::vector<const plan::Profile*> profiles_of(const std::vector<Owner*>& owners) const {
    std::vector<const plan::Profile*> profiles;
    for (const auto& profile : of_.node.profiles) {
      const auto* owner = &of_.link.owner_of(profile);
      if (std::find(owners.begin(), owners.end(), owner) != owners.end()) {
        profiles.push_back(&profile);
      }
    }
    return profiles;
  }

  void lock(const std::vector<Owner*>& owners) {
    const auto profiles = profiles_of(owners);
    const auto& first = *profiles.front();
    of_.stages.start(first, Stage::lock);
    const auto reply = take_turn(*owners.front(), profiles);
    if (const auto* refusal = std::get_if<agent::Refusal>(&reply)) {
      throw error_of(*refusal);
    }
    const auto* status = std::get_if<agent::TransactionStatus>(&reply);
    if (status == nullptr) {
      throw Error(ErrorKind::protocol, "the agent answered prepare with something else");
    }
    for (const auto* profile : profiles) {
      require_closure(*profile, status_of(*status, profile->name));
    }
    for (auto* owner : owners) {
      owner->transaction = status->transaction;
    }
    require_boot_default(profiles, *status);
    require_mode(first, *status);
    tell_earlier(*owners.front(), *status);
    for (const auto* profile : profiles) {
      of_.stages.start(*profile, Stage::lock);
      event::StageFinished done;
      done.generation_before = status_of(*status, profile->name).recorded.number;
      done.details = status->details;
      of_.stages.finish(*profile, Stage::lock, std::move(done));
    }
  }

  agent::ReplyBody take_turn(Owner& owner, const std::vector<const plan::Profile*>& profiles) {
    const auto began = BootClock::now();
    auto turn = LockTurn(of_.contact, of_.node, of_.link, owner, of_.stages)
                    .take(prepare_request(owner, profiles), of_.cancel);
    if (const auto* holder = std::get_if<LockHolder>(&turn)) {
      give_up(*profiles.front(), *holder, BootClock::now() - began);
    }
    return std::move(std::get<agent::ReplyBody>(turn));
  }

  std::string held_by(const LockHolder& holder) const {
    if (holder.deployed) {
      return "node " + one_line(holder.node) +
             " of this very run is the same machine and has deployed another closure there: they "
             "have one profile, of which each would undo the other's";
    }
    if (holder.run == of_.contact.run && !holder.node.empty()) {
      return "the target is held by node " + holder.node +
             " of this very run: two nodes that are one machine take turns; deploy them one after "
             "the other, or make them one node with several profiles";
    }
    return holder.unfinished
               ? "an unfinished deploy of " + describe(holder) +
                     " is there, which a dry run leaves as it is; a real run, or belay-agent "
                     "recover on the target, ends it"
               : "the target is held by " + describe(holder);
  }

  [[noreturn]] void give_up(const plan::Profile& profile, const LockHolder& holder,
                            Duration waited) {
    const bool did_wait = waited >= std::chrono::seconds(1);
    const Error error(ErrorKind::lock_held,
                      held_by(holder) +
                          (did_wait ? "; waited " + format_duration(waited) + " for it" : ""));
    event::StageFinished done;
    done.outcome = event::Outcome::error;
    done.reason = error.reason();
    for (const auto& [name, value] :
         {std::pair("holder_run", holder.run), std::pair("holder_url", holder.url),
          std::pair("holder_since", holder.since)}) {
      if (!value.empty()) {
        done.details[name] = value;
      }
    }
    of_.stages.finish(profile, Stage::lock, std::move(done), error.message());
    throw error;
  }

  agent::PrepareRequest prepare_request(const Owner& owner,
                                        const std::vector<const plan::Profile*>& profiles) const {
    agent::PrepareRequest request;
    request.run = of_.contact.run;
    request.node = of_.node.name;
    request.holder_url = of_.contact.holder_url;
    // The path of the store object that holds the program: the agent is a file of its own.
    request.agent = of_.link.connection_by(owner.login).agent->string();
    for (const auto* profile : profiles) {
      request.profiles.push_back(
          {profile->name, profile->profile_path, profile->path.string(), profile->auto_rollback,
           profile->magic_rollback, profile->confirm_timeout, profile->activation_timeout,
           profile->boot_default == plan::BootDefault::after_confirm, mode_of(*profile)});
    }
    return request;
  }

  /// Whatever else went wrong, no other closure's success is this one's.
  static void require_closure(const plan::Profile& profile, const agent::ProfileStatus& status) {
    if (!status.closure.empty() && status.closure != profile.path.string()) {
      throw Error(ErrorKind::protocol, "the target prepared profile " + profile.name + " for " +
                                           one_line(status.closure) + " instead of " +
                                           profile.path.string());
    }
  }

  /// An agent that does not know the setting would make it the boot default at once.
  static void require_boot_default(const std::vector<const plan::Profile*>& profiles,
                                   const agent::TransactionStatus& status) {
    for (const auto* profile : profiles) {
      if (profile->boot_default == plan::BootDefault::after_confirm &&
          !status.details.contains("boot_default")) {
        throw Error(ErrorKind::protocol, "the target's agent does not know bootDefault, which "
                                         "profile " +
                                             profile->name + " sets: use this belay's own agent");
      }
    }
  }

  /// One that does not know the mode would activate.
  static void require_mode(const plan::Profile& profile, const agent::TransactionStatus& status) {
    const auto said = status.details.find("mode");
    const bool heeded = said != status.details.end() && said->second == name_of(profile.mode);
    if (profile.mode != plan::Mode::activate && !heeded) {
      throw Error(ErrorKind::protocol, "the target's agent does not know --" +
                                           std::string(name_of(profile.mode)) +
                                           ": use this belay's own agent");
    }
  }

  void tell_earlier(Owner& owner, const agent::TransactionStatus& status) {
    for (const auto& earlier : status.earlier) {
      for (const auto& profile : earlier.profiles) {
        event::Draft found{event::EarlierResolved{earlier.run, earlier.transaction,
                                                  std::string(name_of(profile.state)),
                                                  profile.reason},
                           {},
                           event::Level::warn,
                           {}};
        found.subject = {of_.node.name, profile.name, Stage::lock};
        of_.stages.tell(std::move(found));
      }
      tell_log(owner, earlier.transaction);
    }
  }

  /// Nobody may have seen how that went; but this deploy does not depend on it.
  void tell_log(Owner& owner, const std::string& transaction) {
    try {
      of_.stages.log(agent_log_stream,
                     read_agent_log(*owner.link.client, transaction,
                                    Wait::at_most(earlier_log_limit, of_.cancel)));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::cancelled) {
        throw;
      }
      of_.stages.log("agent", "the log of transaction " + transaction +
                                  " cannot be had: " + error.message());
    }
  }

  /// Gives back the locks that were taken already; nothing was changed under them.
  void release() {
    const auto untold = of_.link.for_each_transaction([](Owner& owner) {
      owner.link.client->call(agent::FinishRequest{owner.transaction},
                              Wait::at_most(silence_limit));
    });
    if (untold) {
      of_.stages.log("agent", std::string("the lock is left to the target: ") + untold->what());
    }
    of_.link.drop();
  }

  const Opening& of_;
};

} // namespace

void open_transactions(const Opening& of) {
  Opener(of).open();
}

} // namespace belay::run
