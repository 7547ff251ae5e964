// SPDX-License-Identifier: Apache-2.0
#include "engine/run/revoke.h"

#include "engine/base/error.h"
#include "engine/run/follow.h"
#include "engine/run/profile_activation.h"

#include <algorithm>

namespace belay::run {

using agent::State;
using event::Rollback;

namespace {

// The old generation's script may take activationTimeout, its lock may be retried for 60 s.
constexpr Duration revoke_grace = std::chrono::seconds(90);
constexpr Duration login_limit = std::chrono::seconds(30);

agent::ProfileStatus revoke_one(const Contact& contact, const plan::Node& node, Owner& owner,
                                const plan::Profile& profile, NodeStages& stages,
                                const CancelToken& cancel) {
  Follow follow(contact, node, owner, profile, stages);
  const auto wait = Wait::at_most(profile.activation_timeout + revoke_grace, cancel);
  agent::ProfileStatus status;
  do { // a request that was lost with its connection is made again
    follow.forget();
    follow.request(agent::RevokeRequest{owner.transaction, profile.name}, wait);
    status = follow.until([](const auto& s) { return is_final(s.state); }, wait);
  } while (status.state == State::confirmed && !wait.expired());
  if (status.state != State::rolled_back) {
    return status;
  }
  follow.adopt(connect_fresh(contact, node, owner, Wait::at_most(login_limit, cancel)));
  follow.ask(Wait::at_most(login_limit, cancel));
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

} // namespace

RevokeResult revoke(const Contact& contact, const plan::Node& node, NodeLink& link,
                    const RevokeRequest& request, NodeStages& stages, const CancelToken& cancel) {
  RevokeResult result;
  std::for_each(request.profiles.rbegin(), request.profiles.rend(), [&](const auto* profile) {
    try {
      const auto status =
          revoke_one(contact, node, link.owner_of(*profile), *profile, stages, cancel);
      if (status.state == State::superseded) {
        tell_superseded(stages, *profile, result);
        return;
      }
      const bool verified =
          status.state == State::rolled_back && status.current.path == status.recorded.path;
      tell_rollback(stages, *profile, status, request.trigger, verified);
      worsen(result, verified ? Rollback::succeeded : Rollback::failed, status.message);
      result.generation_after = status.current.number;
    } catch (const Error& error) {
      event::StageFinished done;
      done.outcome = event::Outcome::error;
      done.reason = event::reasons::state_unknown;
      stages.start(*profile, event::Stage::rollback);
      stages.finish(*profile, event::Stage::rollback, done,
                    std::string("not known whether it was taken back: ") + error.what());
      worsen(result, Rollback::unknown, error.what());
    }
  });
  return result;
}

} // namespace belay::run
