// SPDX-License-Identifier: Apache-2.0
#include "engine/run/lock_turn.h"

#include "engine/run/follow.h"

#include <algorithm>

namespace belay::run {

namespace {

// prepare may first have to end an earlier deploy that nobody kept, its confirm timeout included.
constexpr Duration prepare_limit = std::chrono::minutes(6);
// Looked at often: a lock that is given free is taken within a second.
constexpr Duration first_pause = std::chrono::milliseconds(250);
constexpr Duration longest_pause = std::chrono::seconds(1);

} // namespace

LockTurn::LockTurn(const Contact& contact, const plan::Node& node, NodeLink& link, Owner& owner,
                   NodeStages& stages)
    : contact_(contact), node_(node), link_(link), owner_(owner), stages_(stages) {}

LockTurn::~LockTurn() {
  if (owner_.link.client) {
    owner_.link.client->listen({}); // the link outlives us
  }
}

std::variant<agent::ReplyBody, LockHolder> LockTurn::take(const agent::PrepareRequest& request,
                                                          const CancelToken& cancel) {
  const auto began = BootClock::now();
  for (auto pause = first_pause;; pause = std::min(2 * pause, longest_pause)) {
    auto reply = ask(request, cancel);
    const auto* refusal = std::get_if<agent::Refusal>(&reply);
    if (refusal == nullptr || refusal->reason != "lock-held") {
      if (waits_for_) {
        contact_.locks->gave_way(waits_for_->run);
      }
      return reply;
    }
    const auto holder = holder_of(*refusal);
    if (is_our_own(holder)) { // it was opened, and the reply that said so was lost
      return call(agent::StateRequest{holder.transaction}, cancel);
    }
    const auto until = contact_.locks ? contact_.locks->until(holder, began) : began;
    if (BootClock::now() >= until) {
      return holder;
    }
    tell(holder, until);
    ping_others(cancel);
    sleep_for(pause, Wait{until, cancel});
    cancel.throw_if_cancelled();
  }
}

/// Another node of this run on the same machine is as foreign as another run: to follow its
/// transaction would be to report what it deploys as what this one wanted.
bool LockTurn::is_our_own(const LockHolder& holder) const {
  const auto& owners = link_.owners;
  return waits_for_ && holder.run == contact_.run && holder.node == node_.name &&
         !holder.transaction.empty() &&
         std::none_of(owners.begin(), owners.end(),
                      [&](const Owner& owner) { return owner.transaction == holder.transaction; });
}

void LockTurn::tell(const LockHolder& holder, Instant until) {
  until_ = until;
  if (waits_for_ && waits_for_->run == holder.run && waits_for_->attended == holder.attended) {
    return;
  }
  waits_for_ = holder;
  stages_.tell(event::LockWaiting{.holder_run = holder.run,
                                  .holder_url = holder.url,
                                  .since = holder.since,
                                  .attended = holder.attended,
                                  .longest = until - BootClock::now()},
               event::Level::warn);
}

/// Only who waits already has a reason to think that the lost connection is the holder's doing.
agent::ReplyBody LockTurn::ask(const agent::PrepareRequest& request, const CancelToken& cancel) {
  Duration delay{};
  for (;;) {
    try {
      if (!owner_.link.client) {
        const auto wait = Wait{until_ + contact_.patience.reach, cancel};
        owner_.link = connect_fresh(contact_, node_, owner_, wait.within(fresh_login_limit(wait)));
      }
      return call(request, cancel);
    } catch (const Error& error) {
      const bool lost = error.kind() != ErrorKind::cancelled && error.kind() != ErrorKind::protocol;
      if (!waits_for_ || !lost || BootClock::now() >= until_ + contact_.patience.reach) {
        throw;
      }
      owner_.link.client.reset();
      stages_.tell(event::LogLine{"ssh", error.message(), std::nullopt, true}, event::Level::warn);
    }
    delay = next_delay(delay);
    ping_others(cancel);
    sleep_for(delay, Wait{until_ + contact_.patience.reach, cancel});
    cancel.throw_if_cancelled();
  }
}

/// For as long as the target may take to answer, its heartbeats are the occasion to look after what
/// is open already: in prepare_limit its keepers would long have taken this run for dead.
agent::ReplyBody LockTurn::call(const agent::RequestBody& body, const CancelToken& cancel) {
  owner_.link.client->listen([this, cancel](const agent::Message&) { ping_others(cancel); });
  return owner_.link.client->call(body, Wait::at_most(prepare_limit, cancel));
}

void LockTurn::ping_others(const CancelToken& cancel) {
  link_.ping({contact_, node_, Wait{Instant::max(), cancel}}, &owner_);
}

} // namespace belay::run
