// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/run/scheduler_state.h"

#include <algorithm>
#include <utility>

// What a step's result means for its node: where the node goes next, or what its verdict is.

namespace belay::run {

namespace {

using event::Outcome;
using event::Rollback;

/// Finish tells the target to let go: of the lock and of the roots that keep the way back. Not so
/// where contact was lost, where the target was told to decide alone, or where a person will want
/// that way back.
bool may_finish(const NodeResult& result) {
  return (result.rollback == Rollback::none || result.rollback == Rollback::succeeded) &&
         result.reason != event::reasons::state_unknown &&
         result.reason != event::reasons::left_to_target;
}

NodeResult with_outcome(NodeResult verdict, Outcome outcome, std::string_view reason) {
  verdict.outcome = outcome;
  verdict.reason = reason;
  return verdict;
}

/// Some profile is not where it was: it belongs to somebody else meanwhile, or there was no time.
bool left_something(const NodeResult& result) {
  return result.outcome == Outcome::error || result.outcome == Outcome::cancelled;
}

/// The verdict on a node that was confirmed and then taken back; `all_of_it`: no profile stays
/// because its autoRollback is off.
NodeResult after_rollback(NodeResult verdict, const NodeResult& result, bool all_of_it) {
  verdict.message = result.message;
  verdict.rollback = result.rollback;
  switch (result.rollback) {
  case Rollback::succeeded:
    verdict.generation_after = result.generation_after;
    if (left_something(result))
      break;
    verdict.changed = verdict.changed && !all_of_it;
    return with_outcome(std::move(verdict), Outcome::failure, event::reasons::rolled_back);
  case Rollback::failed:
    return with_outcome(std::move(verdict), Outcome::error, event::reasons::rollback_failed);
  case Rollback::unknown:
    return with_outcome(std::move(verdict), Outcome::error, event::reasons::state_unknown);
  case Rollback::none:
    break;
  }
  verdict.decides_by = result.decides_by;
  if (result.outcome != Outcome::success && !result.reason.empty())
    return with_outcome(std::move(verdict), result.outcome, result.reason);
  verdict.rollback = Rollback::unknown;
  return with_outcome(std::move(verdict), Outcome::error, event::reasons::state_unknown);
}

} // namespace

NodeResult verdict_of(NodeIndex node, Outcome outcome, std::string_view reason) {
  NodeResult verdict;
  verdict.node = node;
  return with_outcome(std::move(verdict), outcome, reason);
}

void Scheduler::State::take(StepKind kind, const NodeResult& result, Instant now) {
  switch (kind) {
  case StepKind::survey:
    return surveyed(result, now);
  case StepKind::build:
    return built(result, now);
  case StepKind::copy:
    return copied(result, now);
  case StepKind::activate:
    return activated(result, now);
  case StepKind::rollback:
    return rolled_back(result, now);
  case StepKind::finish:
    return finish_ended(result, now);
  case StepKind::evaluate: // runs before there is a scheduler
    break;
  }
  throw Error(ErrorKind::internal, "the scheduler has no evaluation");
}

void Scheduler::State::decide(NodeIndex index, NodeResult verdict, Instant now) {
  nodes[index].verdict = std::move(verdict);
  nodes[index].decided = now;
}

/// Whether the node goes on after a step that leaves nothing on its target; else it has ended.
bool Scheduler::State::goes_on(const NodeResult& result, Instant now) {
  if (result.outcome != Outcome::success) {
    decide(result.node, result, now);
    end(result.node);
    take_failure(result, now);
  } else if (abandon_at) {
    end_as(result.node, Outcome::cancelled, reason_of(ErrorKind::cancelled), now);
  } else if (broken) {
    end_as(result.node, Outcome::skipped, event::reasons::fail_fast, now);
  } else {
    return true;
  }
  return false;
}

void Scheduler::State::surveyed(const NodeResult& result, Instant now) {
  nodes[result.node].told_copy = result.outcome != Outcome::success;
  if (!goes_on(result, now))
    return;
  enter(result.node, Phase::waiting_build);
  build_at = build_at.value_or(now + survey_patience);
  to_build.push_back(result.node);
}

void Scheduler::State::built(const NodeResult& result, Instant now) {
  if (!goes_on(result, now))
    return;
  enter(result.node, Phase::waiting_copy);
  copy_lane(result.node).waiting.push_back(result.node);
}

void Scheduler::State::copied(const NodeResult& result, Instant now) {
  decide(result.node, result, now);
  if (result.outcome != Outcome::success) {
    end(result.node);
    return take_failure(result, now);
  }
  if (!abandon_at && !broken) {
    enter(result.node, Phase::waiting_activate);
    activate.waiting.push_back(result.node);
    // Behind the barrier who was copied to first means nothing: the plan's order is what one
    // expects.
    if (plan.policy.on_failure == plan::OnFailure::stop && uncopied == 0)
      std::sort(activate.waiting.begin(), activate.waiting.end());
    return;
  }
  decide(result.node,
         abandon_at ? with_outcome(result, Outcome::cancelled, reason_of(ErrorKind::cancelled))
                    : with_outcome(result, Outcome::skipped, event::reasons::fail_fast),
         now);
  queue_finish(result.node);
}

void Scheduler::State::activated(const NodeResult& result, Instant now) {
  decide(result.node, result, now);
  const bool revocable = result.outcome == Outcome::success && result.confirmed;
  if (revocable && plan.policy.rollback_succeeded && !abandon_at) {
    enter(result.node, Phase::held);
    return held.push_back(result.node);
  }
  if (may_finish(result))
    queue_finish(result.node);
  else
    end(result.node);
  if (result.outcome != Outcome::success)
    take_failure(result, now);
}

void Scheduler::State::rolled_back(const NodeResult& result, Instant now) {
  const auto& profiles = plan.nodes[result.node].profiles;
  const bool all_of_it = std::all_of(profiles.begin(), profiles.end(),
                                     [](const auto& profile) { return profile.auto_rollback; });
  decide(result.node, after_rollback(nodes[result.node].verdict, result, all_of_it), now);
  if (may_finish(nodes[result.node].verdict))
    queue_finish(result.node);
  else
    end(result.node);
}

/// The verdict was there before: that the target could not be told so does not change it.
void Scheduler::State::finish_ended(const NodeResult& result, Instant) {
  if (result.outcome != Outcome::success)
    tell_finish_failed(result);
  end(result.node);
}

} // namespace belay::run
