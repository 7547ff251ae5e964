// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/protocol.h"
#include "engine/run/node_link.h"
#include "engine/run/stage_report.h"

#include <functional>
#include <optional>
#include <string>

// Following what one profile does on its target until something is decided, whatever happens to the
// connection. While the working connection speaks, it is listened to; when it falls silent or ends,
// fresh ones ask again and again (after 1, 2, 4, then every 4 s) until the deadline. Losing contact
// is never taken for an outcome: only the target says how it went.

namespace belay::run {

class Follow {
public:
  /// `link` holds the owner of `profile`; its other owners are pinged meanwhile.
  Follow(const Contact& contact, const plan::Node& node, NodeLink& link,
         const plan::Profile& profile, NodeStages& stages);
  ~Follow();
  Follow(const Follow&) = delete;
  Follow& operator=(const Follow&) = delete;

  /// The last status that the target told; nullopt before the first one.
  const std::optional<agent::ProfileStatus>& latest() const { return latest_; }
  /// Forgets it: a request was sent that makes it out of date.
  void forget() { latest_.reset(); }
  /// Whether what the target told may have missed us.
  bool was_lost() const { return was_lost_; }
  /// Tells the target's own log of the transaction; only says so where that cannot be had.
  void tell_log(const Wait& wait);
  /// The next until() asks before it listens.
  void distrust() { stale_ = true; }
  void take(agent::ProfileStatus status);

  /// Sends `body` over the owner's link, connecting anew as often as it takes. A refusal is a
  /// reply. Throws Error{deadline_exceeded} or Error{cancelled}.
  agent::ReplyBody request(const agent::RequestBody& body, const Wait& wait);

  /// As request; a refusal is thrown as the Error that it means.
  agent::ReplyBody demand(const agent::RequestBody& body, const Wait& wait);

  /// Waits until `settled` says so of the latest status. Throws Error{deadline_exceeded} (the
  /// target was not heard of), Error{cancelled}, Error{protocol} (the target does not know the
  /// transaction).
  agent::ProfileStatus until(const std::function<bool(const agent::ProfileStatus&)>& settled,
                             const Wait& wait);

  /// The pause between two tries of ours: the time for the node's other owners, so that nobody who
  /// waits there is forgotten. At most one of them who does not answer makes it longer, and none
  /// goes first: what is decided now has a deadline. Throws Error{cancelled}.
  void rest(Duration duration, const Wait& wait);

  /// Replaces the owner's link by one that was made elsewhere.
  void adopt(AgentLink link);
  /// Asks for the state once, over a link that works.
  void ask(const Wait& wait);

  /// Makes sure that there is a link, connecting anew as often as it takes. Throws as request does.
  void ensure_link(const Wait& wait);

private:
  agent::ReplyBody state(const Wait& wait);
  void listen();
  void lose(const Error& error);
  void pause(const Wait& wait);
  void ping_others(const Wait& wait);

  const Contact& contact_;
  const plan::Node& node_;
  NodeLink& link_;
  Owner& owner_;
  const plan::Profile& profile_;
  NodeStages& stages_;
  std::optional<agent::ProfileStatus> latest_;
  bool unproven_ = false; ///< the link is fresh and nothing was answered over it yet
  bool stale_ = false;    ///< something may have been told that did not reach us: ask
  bool was_lost_ = false;
  Duration delay_{};
};

/// Before the next fresh connection after `delay`: 1, 2, 4, then 4 s.
Duration next_delay(Duration delay);

/// Waits, or throws Error{cancelled}.
void sleep_for(Duration duration, const Wait& wait);

} // namespace belay::run
