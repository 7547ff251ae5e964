// SPDX-License-Identifier: Apache-2.0
#include "engine/run/revoke.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/follow.h"
#include "engine/run/profile_activation.h"

#include <algorithm>

namespace belay::run {

using agent::State;
using event::Rollback;

namespace {

// Beside activationTimeout, which the old generation's script may take.
constexpr Duration revoke_slack = std::chrono::seconds(30);
constexpr Duration revoke_login_limit = std::chrono::seconds(30);

/// The old generation's script may overrun its time, and meet another activation's lock.
Duration longest_revoke(const Contact& contact, const plan::Profile& profile) {
  return profile.activation_timeout + contact.patience.kill + contact.patience.foreign_lock +
         revoke_slack;
}

/// What the target may know of a revocation.
enum class Word {
  unsaid,  ///< nothing
  said,    ///< it was asked; whether it heard is not known
  answered ///< it has begun
};

/// Asks the target to take the profile back. A repeated request may be refused after the first one
/// was obeyed, and the agent may fail after it passed one on: the state decides. Throws the refusal
/// where nothing has begun.
void demand_back(Follow& follow, const Owner& owner, const plan::Profile& profile, const Wait& wait,
                 Word& word) {
  follow.forget();
  follow.ensure_link(wait);
  wait.cancel.throw_if_cancelled();
  word = std::max(word, Word::said); // from here on its answer may be what gets lost
  const auto reply = follow.request(agent::RevokeRequest{owner.transaction, profile.name}, wait);
  if (const auto* refusal = std::get_if<agent::Refusal>(&reply)) {
    follow.ask(wait);
    if (follow.latest()->state == State::confirmed) {
      throw error_of(*refusal);
    }
  }
  word = Word::answered;
}

/// Takes one profile back and follows it to its end.
agent::ProfileStatus revoke_one(Follow& follow, const Owner& owner, const plan::Profile& profile,
                                const Wait& wait, Word& word) {
  agent::ProfileStatus status;
  do { // a request that was lost with its connection is made again
    demand_back(follow, owner, profile, wait, word);
    status = follow.until([](const auto& s) { return is_final(s.state); }, wait);
  } while (status.state == State::confirmed && !wait.expired());
  return status;
}

/// Reads the link back over a fresh login: old ones prove nothing about the way in.
agent::ProfileStatus read_back(Follow& follow, Owner& owner, const CancelToken& cancel) {
  const auto login = Wait::at_most(revoke_login_limit, cancel);
  owner.link.client.reset();
  follow.ask(login);
  return *follow.latest();
}

void worsen(RevokeResult& result, Rollback what, const std::string& message) {
  if (what > result.rollback) { // the enumerators stand in order of badness
    result.rollback = what;
    result.message = message;
  }
}

/// Somebody else set the profile meanwhile: what runs there now is theirs, nothing was touched.
void tell_superseded(NodeStages& stages, const plan::Profile& profile, RevokeResult& result) {
  result.superseded =
      "profile " + profile.name + " was set by somebody else meanwhile and is left as it is";
  event::StageFinished done;
  done.outcome = event::Outcome::skipped;
  done.reason = event::reasons::superseded;
  stages.start(profile, event::Stage::rollback);
  stages.finish(profile, event::Stage::rollback, std::move(done), result.superseded);
}

std::string left_text(const plan::Profile& profile, Word word) {
  switch (word) {
  case Word::unsaid:
    break;
  case Word::said:
    return "the target was asked to take profile " + profile.name +
           " back and has not said yet that it does; it goes on by itself if it has heard it";
  case Word::answered:
    return "the target is taking profile " + profile.name + " back by itself";
  }
  return "profile " + profile.name + " is confirmed and stays";
}

/// The run's patience ended first. The target goes on by itself where it has begun.
void tell_cancelled(NodeStages& stages, const plan::Profile& profile, const Wait& wait, Word word,
                    RevokeResult& result) {
  const bool left = word != Word::unsaid;
  event::StageFinished done;
  done.outcome = event::Outcome::cancelled;
  done.reason = left ? event::reasons::left_to_target : reason_of(ErrorKind::cancelled);
  if (left) {
    result.decides_by = format_time(SystemClock().wall() + wait.left());
  }
  result.cancelled = left_text(profile, word);
  stages.start(profile, event::Stage::rollback);
  stages.finish(profile, event::Stage::rollback, std::move(done), result.cancelled);
}

void tell_unknown(NodeStages& stages, const plan::Profile& profile, const Error& error,
                  RevokeResult& result) {
  event::StageFinished done;
  done.outcome = event::Outcome::error;
  done.reason = event::reasons::state_unknown;
  stages.start(profile, event::Stage::rollback);
  stages.finish(profile, event::Stage::rollback, std::move(done),
                std::string("not known whether it was taken back: ") + error.what());
  worsen(result, Rollback::unknown, error.what());
}

} // namespace

RevokeResult revoke(const Contact& contact, const plan::Node& node, NodeLink& link,
                    const RevokeRequest& request, NodeStages& stages, const CancelToken& cancel) {
  RevokeResult result;
  std::for_each(request.profiles.rbegin(), request.profiles.rend(), [&](const auto* profile) {
    const auto wait = Wait::at_most(longest_revoke(contact, *profile), cancel);
    Word word = Word::unsaid;
    try {
      auto& owner = link.owner_of(*profile);
      Follow follow(contact, node, link, *profile, stages);
      auto status = revoke_one(follow, owner, *profile, wait, word);
      if (status.state == State::superseded) {
        return tell_superseded(stages, *profile, result);
      }
      if (status.state == State::rolled_back) {
        status = read_back(follow, owner, cancel);
      }
      const bool verified =
          status.state == State::rolled_back && status.current.path == status.recorded.path;
      tell_rollback(stages, *profile, status, request.trigger, verified);
      worsen(result, verified ? Rollback::succeeded : Rollback::failed, status.message);
      result.generation_after = status.current.number;
    } catch (const std::exception& caught) {
      const auto error = as_error(caught);
      if (error.kind() == ErrorKind::cancelled) {
        tell_cancelled(stages, *profile, wait, word, result);
      } else {
        tell_unknown(stages, *profile, error, result);
      }
    }
  });
  return result;
}

event::Outcome judge_revoked(const RevokeResult& revoked, std::string& reason,
                             std::string& message) {
  if (revoked.rollback == Rollback::failed || revoked.rollback == Rollback::unknown) {
    reason = revoked.rollback == Rollback::failed ? event::reasons::rollback_failed
                                                  : event::reasons::state_unknown;
    message = revoked.message;
    return event::Outcome::error;
  }
  if (!revoked.superseded.empty()) {
    reason = event::reasons::superseded;
    message = revoked.superseded;
    return event::Outcome::error;
  }
  if (!revoked.cancelled.empty()) {
    reason = revoked.decides_by.empty() ? reason_of(ErrorKind::cancelled)
                                        : event::reasons::left_to_target;
    message = revoked.cancelled;
    return event::Outcome::cancelled;
  }
  reason = event::reasons::rolled_back;
  message = "rolled back because another node failed";
  return event::Outcome::failure;
}

} // namespace belay::run
