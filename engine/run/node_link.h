// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/protocol.h"
#include "engine/base/error.h"
#include "engine/plan/plan.h"
#include "engine/run/agent_client.h"
#include "engine/run/agent_finder.h"
#include "engine/run/lock_patience.h"
#include "engine/run/password_offers.h"
#include "engine/ssh/transport.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

// What the runner holds of one node between its steps: a working connection for each login that its
// profiles name and, for each user who owns profiles there, a conversation with an agent and the
// transaction that it opened. The agent keeps a transaction revocable only while somebody asks for
// it, so a held link is pinged.
//
// A target has one transaction for each state directory, that is, for each profile user. Where two
// logins lead to the same user there are two owners with one transaction: each speaks of it over
// its own login, and so each profile is confirmed over the login that will be used next time.

namespace belay::run {

/// One login, and what came over it.
struct WorkingConnection {
  plan::Login login;
  std::shared_ptr<ssh::Session> session; ///< none = not made yet
  Instant connected_at{};
  bool in_use = false;            ///< Copy has begun with it
  std::optional<StorePath> agent; ///< for the system that answers there
  bool agent_there = false;       ///< it was brought over
  std::string foreign;            ///< the system, where the agent is a closure's own
};

/// A connection and an agent on it. The owners that share a login share the working connection.
struct AgentLink {
  std::shared_ptr<ssh::Session> session;
  std::unique_ptr<AgentClient> client; ///< after session: goes first
};

/// One user's part of a node, reached by one login.
struct Owner {
  plan::Login login;
  std::string user; ///< of the profiles
  AgentStart start; ///< the agent, as that user
  std::vector<const plan::Profile*> profiles;
  std::string transaction; ///< empty = none is open; may be another owner's, too
  AgentLink link;          ///< may have no client: contact is lost
  Instant retry_at{};      ///< when a ping may connect anew
};

/// How long a step waits for a target that does not answer, beyond the plan's own timeouts; and how
/// long it may leave one alone.
struct Patience {
  /// For a node that was not asked to change anything yet; then it is unreachable.
  Duration reach = std::chrono::seconds(60);
  /// For a script that overran its time: until it was stopped, or counts as unstoppable.
  Duration kill = agent::script_stop_limit;
  /// For one that met another activation's lock and is tried again.
  Duration foreign_lock = agent::foreign_lock_patience;
  /// After the confirm deadline, beside the time that the old generation's script may take; and
  /// for a way in once that is back.
  Duration verdict = std::chrono::seconds(30);
  /// After how long without a question a transaction is asked for, to keep its agent from ending
  /// it: a third of idle_limit, so that one lost ping does no harm.
  Duration ping = agent::idle_limit / 3;
};

/// sudo's passwords, by where the plan says that they are.
using Passwords = std::map<plan::SecretSource, std::shared_ptr<const Secret>>;

/// What a step that talks to targets needs.
struct Contact {
  ssh::Transport& transport;
  std::string run;        ///< id, the holder's name on the target
  std::string holder_url; ///< CI job; may be empty
  Patience patience = {};
  Passwords passwords = {};
  std::shared_ptr<LockPatience> locks = {};    ///< of the whole run; null: no deploy is waited for
  std::shared_ptr<PasswordOffers> offers = {}; ///< of the whole run; null: nobody counts
};

/// What a ping needs beside the link.
struct Ping {
  const Contact& contact;
  const plan::Node& node;
  Wait wait;              ///< for all of it
  bool reconnects = true; ///< else only links that live are asked
  bool brief = false;     ///< it ends with the first that does not answer, which costs seconds
};

struct NodeLink {
  std::mutex mutex; ///< held by a step for as long as it runs, by the pinger for one ping
  std::vector<WorkingConnection> connections;
  std::vector<Owner> owners;

  /// That of `login`, which may not be connected yet.
  WorkingConnection& connection_by(const plan::Login& login);
  /// Of a profile of the plan. Throws Error{internal} where it has none.
  Owner& owner_of(const plan::Profile& profile);
  /// Tells the target something of each open transaction, once: over one of its owners and, where
  /// `tell` throws an Error, over the next one. Returns the Error of one that nobody could tell.
  std::optional<Error> for_each_transaction(const std::function<void(Owner&)>& tell);
  /// Closes everything; what is open on the target is left to it.
  void drop();
  /// Asks each agent but that of `except` for its state where the last request is long ago. A link
  /// that does not answer is made anew, now or by a later ping, whoever has waited longest first.
  /// Never throws.
  void ping(const Ping& ping, const Owner* except = nullptr);

private:
  std::vector<Owner*> due(const Ping& ping, const Owner* except);
};

/// How the agent is started for a profile: as the login, or as its owner through sudo.
AgentStart start_for(const Contact& contact, const plan::Profile& profile,
                     const std::string& agent);

ssh::HostAddress address_of(const plan::Node& node, const plan::Login& login);

/// How long one fresh login may take, of what remains: a third, so that there is time for others,
/// but 5 to 15 s. A login that works slowly (two hops, a PAM stack that asks a directory) must not
/// be one that never can confirm; a host that does not answer at all the transport gives up sooner.
Duration fresh_login_limit(const Wait& wait);

/// A fresh connection in the confirm lane with an agent on it, for `owner`. Throws nothing but
/// Error.
AgentLink connect_fresh(const Contact& contact, const plan::Node& node, const Owner& owner,
                        const Wait& wait);

/// The status of one profile. Throws Error{protocol} where the agent does not know it.
agent::ProfileStatus status_of(const agent::TransactionStatus& status, const std::string& profile);

/// A refusal as the Error that it means.
Error error_of(const agent::Refusal& refusal);

} // namespace belay::run
