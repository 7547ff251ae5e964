// SPDX-License-Identifier: Apache-2.0
#include "engine/run/activate_step.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/follow.h"
#include "engine/run/profile_activation.h"
#include "engine/run/revoke.h"

#include <algorithm>

namespace belay::run {

using event::Outcome;
using event::Stage;

namespace {

constexpr Duration finish_limit = std::chrono::seconds(10);

void take(NodeResult& result, const ProfileResult& profile) {
  result.touched = result.touched || profile.touched;
  result.confirmed = result.confirmed || profile.confirmed;
  result.changed = result.changed || profile.changed;
  result.generation_after = profile.generation_after;
  result.outcome = profile.outcome;
  result.reason = profile.reason;
  result.message = profile.message;
  result.decides_by = profile.decides_by;
  result.rollback = std::max(result.rollback, profile.rollback);
}

/// A profile that this node has confirmed.
struct Confirmed {
  const plan::Profile* profile;
  bool changed;
};

/// What stays as it is now, whatever goes back.
struct Staying {
  bool changed;   ///< a profile is another one than before
  bool confirmed; ///< the one that failed, which failed after that
};

/// What became of the profiles that this node had confirmed before one of it failed.
void take_back(NodeResult& result, const RevokeResult& revoked, const Staying& staying) {
  result.rollback = std::max(result.rollback, revoked.rollback);
  std::string reason, message;
  const auto outcome = judge_revoked(revoked, reason, message);
  if (outcome == Outcome::failure) { // all back: the failure stays what it was
    result.changed = staying.changed;
    result.confirmed = staying.confirmed;
    return;
  }
  result.outcome = outcome;
  result.reason = reason;
  result.message += "; taking back an earlier profile of this node: " + message;
  result.decides_by = revoked.decides_by;
}

} // namespace

NodeResult activate_node(const Contact& contact, const plan::Node& node, NodeIndex index,
                         NodeLink& link, StepContext& context) {
  NodeResult result;
  result.node = index;
  NodeStages stages(context, node, StepKind::activate);
  std::vector<Confirmed> confirmed;
  for (const auto& profile : node.profiles) {
    if (context.work().cancelled()) {
      // Nothing new starts; what this node has confirmed stays.
      result.outcome = Outcome::cancelled;
      result.reason = reason_of(ErrorKind::cancelled);
      result.message = "cancelled before profile " + profile.name;
      return result;
    }
    const auto ended = ProfileActivation(contact, node, link, profile, stages, context).run();
    take(result, ended);
    if (ended.outcome != Outcome::success) {
      if (ended.outcome != Outcome::cancelled) {
        RevokeRequest request{{}, event::RollbackTrigger::profile_failed};
        std::vector<std::string> kept;
        for (const auto& earlier : confirmed) {
          if (profile.auto_rollback && earlier.profile->auto_rollback) {
            request.profiles.push_back(earlier.profile);
          } else if (earlier.changed) {
            kept.push_back(earlier.profile->name);
          }
        }
        if (!request.profiles.empty()) {
          take_back(result, revoke(contact, node, link, request, stages, context.abandon()),
                    {!kept.empty() || (ended.confirmed && ended.changed), ended.confirmed});
        }
        if (!kept.empty()) {
          result.message +=
              "; confirmed before and kept, since autoRollback is off: " + join(kept, ", ");
        }
      }
      return result;
    }
    confirmed.push_back({&profile, ended.changed});
  }
  return result;
}

NodeResult roll_back_node(const Contact& contact, const plan::Node& node, NodeIndex index,
                          NodeLink& link, StepContext& context) {
  NodeStages stages(context, node, StepKind::rollback);
  RevokeRequest request;
  for (const auto& profile : node.profiles) {
    if (profile.auto_rollback) {
      request.profiles.push_back(&profile);
    }
  }
  const auto revoked = revoke(contact, node, link, request, stages, context.abandon());
  NodeResult result;
  result.node = index;
  result.touched = true;
  result.rollback = revoked.rollback;
  result.generation_after = revoked.generation_after;
  result.decides_by = revoked.decides_by;
  result.outcome = judge_revoked(revoked, result.reason, result.message);
  return result;
}

NodeResult finish_node(const Contact& contact, const plan::Node& node, NodeIndex index,
                       NodeLink& link, StepContext& context) {
  NodeResult result;
  result.node = index;
  NodeStages stages(context, node, StepKind::finish);
  const auto untold = link.for_each_transaction([&](const Owner& owner) {
    Follow(contact, node, link, *owner.profiles.front(), stages)
        .demand(agent::FinishRequest{owner.transaction},
                Wait::at_most(finish_limit, context.abandon()));
  });
  if (untold) {
    // The target ends the transaction by itself when nobody asks any more; the verdict stands.
    result.outcome = Outcome::error;
    result.reason = untold->reason();
    result.message = std::string("the target was not told that the run is over: ") + untold->what();
  }
  link.drop();
  return result;
}

} // namespace belay::run
