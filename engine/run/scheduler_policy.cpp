// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/run/scheduler_state.h"

#include <algorithm>
#include <utility>

// What one node's failure means for the others, and what a cancel means for all.

namespace belay::run {

using event::Outcome;

namespace {

/// Told to the target before the grace is over: this much of it is kept for the telling.
constexpr std::chrono::seconds abandon_lead{1};

/// A node that could not be reached says nothing about what is being deployed; one that was judged,
/// or that was touched and then lost, does.
bool speaks_against_the_deploy(const NodeResult& result) {
  return result.outcome == Outcome::failure || (result.outcome == Outcome::error && result.touched);
}

/// autoRollback: false means: leave it as it is, whatever happens.
bool may_be_taken_back(const plan::Node& node) {
  return std::any_of(node.profiles.begin(), node.profiles.end(),
                     [](const plan::Profile& profile) { return profile.auto_rollback; });
}

} // namespace

/// A node that could not be evaluated is a failure before anything has begun.
void Scheduler::State::refuse(NodeIndex index, Instant now) {
  NodeResult verdict = verdict_of(index, Outcome::failure, reason_of(ErrorKind::evaluation_failed));
  verdict.message = *plan.nodes[index].evaluation_error;
  tell_not_evaluated(verdict);
  decide(index, verdict, now);
  end(index);
  take_failure(verdict, now);
}

void Scheduler::State::take_failure(const NodeResult& result, Instant now) {
  if (abandon_at)
    return; // a cancel stands above the failure policy: nothing starts, nothing is taken back
  const bool stop = plan.policy.on_failure == plan::OnFailure::stop;
  bad = bad || stop || speaks_against_the_deploy(result);
  if (stop && !std::exchange(broken, true))
    fail_fast(now);
}

/// Those for which nothing has been built yet.
std::vector<NodeIndex> Scheduler::State::take_unbuilt() {
  std::vector<NodeIndex> taken = std::exchange(to_build, {});
  for (const NodeIndex index : std::exchange(survey.waiting, {}))
    taken.push_back(index);
  std::sort(taken.begin(), taken.end());
  return taken;
}

/// Those that were built and wait to be copied to; they wait no more.
std::vector<NodeIndex> Scheduler::State::take_uncopied() {
  std::vector<NodeIndex> taken;
  for (Lane* lane : {&build_there, &copy})
    for (const NodeIndex index : std::exchange(lane->waiting, {}))
      taken.push_back(index);
  return taken;
}

/// Under `stop`, at the first failure: whoever waits, waits for nothing. Steps that run are
/// awaited.
void Scheduler::State::fail_fast(Instant now) {
  for (const NodeIndex index : take_unbuilt())
    end_as(index, Outcome::skipped, event::reasons::fail_fast, now);
  for (const NodeIndex index : take_uncopied())
    end_as(index, Outcome::skipped, event::reasons::fail_fast, now);
  for (const NodeIndex index : std::exchange(activate.waiting, {})) {
    decide(index, verdict_of(index, Outcome::skipped, event::reasons::fail_fast), now);
    queue_finish(index);
  }
}

/// Once no activation can come any more it is known whether the run stands. (A cancel has emptied
/// `held`, and nothing is held after it: what it found confirmed stays.)
void Scheduler::State::settle(Instant now) {
  if (undecided == 0) {
    std::vector<NodeIndex> decided = std::exchange(held, {});
    std::reverse(decided.begin(), decided.end()); // newest first
    for (const NodeIndex index : decided)
      if (bad && may_be_taken_back(plan.nodes[index]))
        queue_rollback(index);
      else
        queue_finish(index);
  }
  drop_late_finishes(now);
}

void Scheduler::State::queue_rollback(NodeIndex index) {
  enter(index, Phase::waiting_rollback);
  rollback.waiting.push_back(index);
}

void Scheduler::State::queue_finish(NodeIndex index) {
  enter(index, Phase::waiting_finish);
  finish.waiting.push_back(index);
}

/// Not even Finish starts when the grace is over: a target whose profiles are decided lets go by
/// itself.
void Scheduler::State::drop_late_finishes(Instant now) {
  if (!abandon_at || now < *abandon_at)
    return;
  for (const NodeIndex index : std::exchange(finish.waiting, {}))
    end(index);
}

void Scheduler::State::cancel(Instant now) {
  if (abandon_at)
    return;
  abandon_at = now + std::max<Duration>(plan.policy.grace - abandon_lead, Duration::zero());
  const std::string_view reason = reason_of(ErrorKind::cancelled);
  for (const NodeIndex index : take_unbuilt())
    end_as(index, Outcome::cancelled, reason, now);
  for (const NodeIndex index : take_uncopied())
    end_as(index, Outcome::cancelled, reason, now);
  for (const NodeIndex index : std::exchange(held, {}))
    queue_finish(index);
  for (const NodeIndex index : std::exchange(rollback.waiting, {}))
    queue_finish(index); // what was confirmed stays
  for (const NodeIndex index : std::exchange(activate.waiting, {})) {
    decide(index, verdict_of(index, Outcome::cancelled, reason), now);
    queue_finish(index);
  }
  drop_late_finishes(now);
}

void Scheduler::State::leave(Instant now) {
  cancel(now);
  finish.waiting.clear();
  for (NodeIndex index = 0; index < nodes.size(); ++index) {
    switch (nodes[index].phase) {
    case Phase::waiting_survey:
    case Phase::waiting_build:
    case Phase::waiting_copy:
      end_as(index, Outcome::cancelled, reason_of(ErrorKind::cancelled), now);
      break;
    case Phase::waiting_activate:
    case Phase::held:
    case Phase::waiting_rollback:
    case Phase::waiting_finish:
    case Phase::finishing:
      end(index);
      break;
    case Phase::surveying:
    case Phase::building:
    case Phase::copying: // its step never told how it ended, and changed nothing: judged as
                         // cancelled
    case Phase::activating:
    case Phase::rolling_back: // only the target knows: silence is judged as state-unknown
    case Phase::ended:
      break;
    }
  }
}

} // namespace belay::run
