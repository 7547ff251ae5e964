// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "tests/simulation/checker.h"

#include <algorithm>

namespace belay::simulation {

using event::Outcome;
using event::Rollback;
using event::Stage;

namespace {

/// What a node's stages say about how it must end.
struct Implied {
  Outcome outcome = Outcome::success;
  std::string reason;
};

bool all_well(const NodeRecord& node, std::initializer_list<Stage> stages) {
  return std::all_of(node.stages.begin(), node.stages.end(), [&](const auto& entry) {
    return std::find(stages.begin(), stages.end(), entry.first.second) == stages.end() ||
           (entry.second.ended && entry.second.ended->outcome == Outcome::success);
  });
}

bool began(const NodeRecord& node, Stage stage) {
  return std::any_of(node.stages.begin(), node.stages.end(), [&](const auto& entry) {
    return entry.first.second == stage && entry.second.started;
  });
}

/// The first stage that ended neither well nor skipped.
std::optional<Implied> bad_stage(const NodeRecord& node) {
  for (const auto& [key, stage] : node.stages)
    if (stage.ended && stage.ended->outcome != Outcome::success &&
        stage.ended->outcome != Outcome::skipped)
      return Implied{stage.ended->outcome, stage.ended->reason};
  return std::nullopt;
}

Implied after_rollback(const event::StageFinished& ended) {
  if (ended.outcome == Outcome::success)
    return {Outcome::failure, std::string(event::reasons::rolled_back)};
  return {Outcome::error, ended.reason};
}

bool is_unknown(const event::NodeFinished& finished) {
  return finished.reason == event::reasons::state_unknown ||
         finished.reason == event::reasons::rollback_failed ||
         finished.rollback == Rollback::failed || finished.rollback == Rollback::unknown;
}

} // namespace

bool Checker::copied(const NodeRecord& node) const {
  return all_well(node, {Stage::copy, Stage::lock});
}

bool Checker::activated(const NodeRecord& node) const {
  return all_well(node, {Stage::activate, Stage::confirm, Stage::verify});
}

/// At the very moment of a failure its result may still be on its way; later nobody may claim that.
bool Checker::failed_before(WallTime time) const {
  return std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& entry) {
    return entry.second.failed && *entry.second.failed < time;
  });
}

void Checker::check_start(NodeRecord& node, Work work) {
  require(!cancel_ || work == Work::survey, // that started unseen, and is told as it ends
          "a step started after the cancel");
  require(work == Work::survey || !deadline_ || event_->time <= *deadline_,
          "a step started after the deadline");
  require(!node.at, "a second step started on a node");
  require(node.finish_steps == 0, "a step started after Finish");
  node.at = work;
  require(++busy_[work] <= limits_[work],
          "more nodes than the limit allows in " + std::string(name_of(work)));
  if (work == Work::copy || work == Work::build_there)
    for (const auto& [key, stage] : node.stages)
      if (key.second == Stage::build && !node.remote_builds.contains(key.first))
        check_built(node, key.first);
  if (work == Work::build)
    require(policy_.on_failure != plan::OnFailure::stop || !failed_before(event_->time),
            "built after a failure");
  if (work == Work::activate)
    check_activation(node);
  if (work == Work::rollback)
    check_rollback(node);
}

void Checker::check_built(const NodeRecord& node, const std::string& profile) {
  const auto found = node.stages.find({profile, Stage::build});
  require(found != node.stages.end() && found->second.ended &&
              found->second.ended->outcome == Outcome::success,
          "copied before it was built");
}

void Checker::check_activation(const NodeRecord& node) {
  require(copied(node), "activated before it was copied to");
  if (policy_.on_failure != plan::OnFailure::stop)
    return;
  require(!failed_before(event_->time), "activated after a failure");
  for (const auto& [name, other] : nodes_)
    if (!other.skip)
      require(copied(other), "activated before " + name + " was copied to");
}

void Checker::check_rollback(const NodeRecord& node) {
  require(policy_.rollback_succeeded, "taken back against the policy");
  require(judged_bad(), "taken back although nothing speaks against the deploy");
  require(activated(node), "taken back without having been confirmed");
  require(node.revocable > 0, "taken back in spite of autoRollback: false");
  require(busy_[Work::activate] == 0, "taken back while others were activating");
  require(last_rollback_rank_ == 0 || node.activation_rank < last_rollback_rank_,
          "not the newest was taken back first");
  last_rollback_rank_ = node.activation_rank;
}

void Checker::check_finish_step(const NodeRecord& node) {
  require(node.finish_steps == 0, "Finish twice");
  require(!node.finished, "Finish after the node had ended");
  require(!node.at, "Finish while a step was at work on the node");
  require(copied(node), "Finish of a node without a transaction");
  const auto patience = policy_.grace - std::chrono::seconds(1);
  require(!cancel_ || event_->time < cancelled_at_ + patience || patience <= Duration::zero(),
          "Finish after the grace was over");
  if (!policy_.rollback_succeeded || cancel_ || node.rollback_end || node.failed ||
      !activated(node))
    return;
  for (const auto& [name, other] : nodes_)
    require(other.skip || other.finished || other.failed || other.finish_steps > 0 ||
                activated(other) || failed_before(event_->time),
            "Finish while " + name + " could still fail");
}

void Checker::check_verdict(const NodeRecord& node, const event::NodeFinished& finished) {
  if (finished.outcome == Outcome::skipped)
    return check_skipped(node, finished);
  Implied implied;
  if (node.rollback_end)
    implied = after_rollback(*node.rollback_end);
  else if (node.failed && node.stages.empty()) // not even its profiles are known
    implied = {Outcome::failure, std::string(reason_of(ErrorKind::evaluation_failed))};
  else if (auto bad = bad_stage(node))
    implied = *bad;
  else if (!activated(node))
    implied = {Outcome::cancelled, std::string(reason_of(ErrorKind::cancelled))};
  require(finished.outcome == implied.outcome,
          "the node ended as " + std::string(event::name_of(finished.outcome)) +
              ", its stages say " + std::string(event::name_of(implied.outcome)));
  require(finished.reason == implied.reason,
          "the node's reason is " + finished.reason + ", its stages say " + implied.reason);
  require(finished.outcome != Outcome::cancelled || cancel_, "cancelled without a cancel");
  require(finished.outcome == Outcome::cancelled || node.rolled_back_itself || node.rollback_end ||
              finished.rollback != Rollback::succeeded,
          "claims a rollback that nobody told of");
  if (node.rollback_end && node.rollback_end->outcome == Outcome::success)
    require(finished.changed == (node.revocable < node.profiles),
            "after its rollback the node does not say whether a profile stays");
}

void Checker::check_skipped(const NodeRecord& node, const event::NodeFinished& finished) {
  require(!began(node, Stage::activate), "skipped although its activation had begun");
  if (node.skip)
    return require(finished.reason == event::reasons::skipped_by_plan && node.started == 0,
                   "not skipped as the plan says");
  require(finished.reason == event::reasons::fail_fast, "skipped without a reason");
  require(policy_.on_failure == plan::OnFailure::stop, "skipped although the policy is continue");
  require(std::any_of(nodes_.begin(), nodes_.end(),
                      [](const auto& entry) { return entry.second.failed.has_value(); }),
          "skipped although nothing had failed");
}

/// Each rule of the policy that makes a run take its successes back.
bool Checker::judged_bad() const {
  return std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& entry) {
    const auto bad = bad_stage(entry.second);
    const bool unevaluated = entry.second.failed && entry.second.stages.empty();
    if (unevaluated || (bad && policy_.on_failure == plan::OnFailure::stop))
      return true;
    return bad &&
           (bad->outcome == Outcome::failure || bad->reason == event::reasons::state_unknown ||
            bad->reason == event::reasons::rollback_failed);
  });
}

void Checker::check_node_at_end(const NodeRecord& node) {
  require(node.queued == 1, "was not queued once");
  if (!node.finished)
    return fail("never ended");
  if (node.finished->outcome != Outcome::skipped)
    for (const auto& [key, stage] : node.stages)
      require(stage.ended.has_value(), "no end of announced stage " + key.first + " " +
                                           std::string(event::name_of(key.second)));
  for (const auto& [key, stage] : node.stages)
    require(!node.turned_down || !stage.started ||
                (key.second == Stage::copy && is_bad(stage.ended->outcome)),
            "worked on although it was turned down");
  const bool contact =
      !is_unknown(*node.finished) && node.finished->reason != event::reasons::left_to_target;
  const bool transaction = copied(node) && !node.stages.empty() && began(node, Stage::lock);
  if (!cancel_)
    require(node.finish_steps == (contact && transaction ? 1 : 0), "wrong number of Finish steps");
}

void Checker::check_policy_at_end() {
  if (cancel_)
    return;
  const bool take_back = policy_.rollback_succeeded && judged_bad();
  for (const auto& [name, node] : nodes_)
    if (take_back && node.finished && node.finished->outcome == Outcome::success)
      require(node.revocable == 0, name + " stays deployed although the run failed");
}

/// The deadline has passed, and nobody sent a signal.
bool Checker::is_late() const {
  return cancel_ && cancel_->source == event::cancel_sources::timeout;
}

/// It is no failure by itself: where no node paid for it, all is as if it had not been.
void Checker::check_exit_code_when_late(int code, int cancelled, bool rolled_back, bool well) {
  if (rolled_back)
    return require(code == 11, "a node was rolled back, and the exit code is not 11");
  if (well)
    return require(cancelled > 0 ? code == 14 : code == 0 || code == 4,
                   "the exit code does not say whether the deadline cost a node anything");
  require(code != 0 && code != 11, "the exit code does not say how it went");
}

void Checker::check_run_finished(const event::RunFinished& finished) {
  std::map<Outcome, int> counts;
  int changed = 0;
  bool unknown = false, internal = false, rolled_back = false;
  for (const auto& [name, node] : nodes_) {
    if (!node.finished)
      continue;
    ++counts[node.finished->outcome];
    changed += node.finished->changed ? 1 : 0;
    unknown |= is_unknown(*node.finished);
    internal |= node.finished->reason == reason_of(ErrorKind::internal);
    const bool back = node.rolled_back_itself || node.finished->rollback == Rollback::succeeded;
    rolled_back |= back && !node.finished->changed; // cleanly: nothing that was to stay stays
  }
  const auto& told = finished.counts;
  require(told.success == counts[Outcome::success] && told.failure == counts[Outcome::failure] &&
              told.error == counts[Outcome::error] &&
              told.cancelled == counts[Outcome::cancelled] &&
              told.skipped == counts[Outcome::skipped] && told.changed == changed,
          "the counts of run.finished are not those of the nodes");
  const int code = finished.exit_code;
  if (unknown)
    return require(code == 12, "a node's state is not known, and the exit code is not 12");
  if (internal)
    return require(code == 1, "an internal error, and the exit code is not 1");
  const bool well = counts[Outcome::failure] + counts[Outcome::error] == 0;
  if (is_late())
    return check_exit_code_when_late(code, counts[Outcome::cancelled], rolled_back, well);
  if (cancel_)
    return require(code == (cancel_->signal == "SIGINT" ? 130 : 143), "not the signal's exit code");
  if (rolled_back)
    return require(code == 11, "a node was rolled back, and the exit code is not 11");
  require(well == (code == 0 || code == 4), "the exit code does not say how it went");
  require(code != 11 && code != 12, "the exit code tells of what did not happen");
}

} // namespace belay::simulation
