// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/run/lock_patience.h"
#include "engine/run/node_link.h"
#include "engine/run/stage_report.h"

#include <optional>
#include <variant>

// Asks a target's agent to prepare, until it is this run's turn there. Another deploy that holds
// the target is waited for as long as LockPatience says, and told of (lock.waiting). Nothing is
// held meanwhile on this target's side: the agent is asked again and again, so who gives up, or
// dies, leaves nothing behind. The holder may well take the connection with it when its activation
// restarts the network: then it is made anew. What the node's other owners have open by then is
// asked for meanwhile, or their keepers would take this run for dead.

namespace belay::run {

class LockTurn {
public:
  /// `owner`'s link has an agent. All must outlive it.
  LockTurn(const Contact& contact, const plan::Node& node, NodeLink& link, Owner& owner,
           NodeStages& stages);
  LockTurn(const LockTurn&) = delete;
  LockTurn& operator=(const LockTurn&) = delete;
  ~LockTurn();

  /// The reply to `request`: what it opened, or a refusal of another kind than lock-held. A
  /// LockHolder: it was waited for in vain. Throws Error as AgentClient::call does,
  /// Error{cancelled} at once.
  std::variant<agent::ReplyBody, LockHolder> take(const agent::PrepareRequest& request,
                                                  const CancelToken& cancel);

private:
  agent::ReplyBody ask(const agent::PrepareRequest& request, const CancelToken& cancel);
  agent::ReplyBody call(const agent::RequestBody& body, const CancelToken& cancel);
  void ping_others(const CancelToken& cancel);
  bool is_our_own(const LockHolder& holder) const;
  void tell(const LockHolder& holder, Instant until);

  const Contact& contact_;
  const plan::Node& node_;
  NodeLink& link_;
  Owner& owner_;
  NodeStages& stages_;
  std::optional<LockHolder> waits_for_;
  Instant until_{}; ///< while it waits
};

} // namespace belay::run
