// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/run/announcement.h"
#include "engine/run/scheduler_state.h"

#include <utility>

namespace belay::run {

namespace {

using event::Level;
using event::Outcome;
using event::Stage;

Level level_of(Outcome outcome) {
  switch (outcome) {
  case Outcome::success:
  case Outcome::skipped:
    return Level::info;
  case Outcome::cancelled:
    return Level::warn;
  case Outcome::failure:
  case Outcome::error:
    break;
  }
  return Level::error;
}

/// Whether the step that covers a stage has run, and so has told how the stage ended.
bool told_by_step(const NodeRecord& node, StepKind kind) {
  switch (kind) {
  case StepKind::build:
    return node.told_build;
  case StepKind::copy:
    return node.told_copy;
  case StepKind::activate:
    return node.told_activate;
  case StepKind::evaluate:
  case StepKind::survey:
  case StepKind::rollback:
  case StepKind::finish:
    break;
  }
  return true; // not the scheduler's
}

} // namespace

void Scheduler::State::tell(NodeIndex index, event::Payload payload, Level level,
                            std::string message) {
  event::Draft draft{std::move(payload), {}, level, std::move(message)};
  draft.subject.node = plan.nodes[index].name;
  sink.tell(std::move(draft));
}

void Scheduler::State::tell_stage(NodeIndex index, const std::string& profile, Stage stage,
                                  Outcome outcome, std::string_view reason, std::string message) {
  event::StageFinished ended;
  ended.outcome = outcome;
  ended.reason = reason;
  event::Draft draft{std::move(ended), {}, level_of(outcome), std::move(message)};
  draft.subject.node = plan.nodes[index].name;
  draft.subject.profile = profile;
  draft.subject.stage = stage;
  sink.tell(std::move(draft));
}

void Scheduler::State::tell_not_evaluated(const NodeResult& verdict) {
  const plan::Node& node = plan.nodes[verdict.node];
  std::vector<std::string> profiles = node.unevaluated_profiles;
  if (profiles.empty())
    profiles.emplace_back(); // not even their names are known
  for (const std::string& profile : profiles)
    tell_stage(verdict.node, profile, Stage::evaluate, verdict.outcome, verdict.reason,
               verdict.message);
}

/// A skipped node speaks for all of its stages; every other one owes each of them an end.
void Scheduler::State::tell_unreached_stages(NodeIndex index) {
  const NodeRecord& node = nodes[index];
  if (node.verdict.outcome == Outcome::skipped)
    return;
  const std::string_view reason = node.verdict.outcome == Outcome::cancelled
                                      ? reason_of(ErrorKind::cancelled)
                                      : event::reasons::not_reached;
  for (const plan::Profile& profile : plan.nodes[index].profiles)
    for (const Stage stage : stages_of(profile))
      if (!told_by_step(node, step_of(profile, stage)))
        tell_stage(index, profile.name, stage, Outcome::skipped, reason);
}

void Scheduler::State::tell_finish_failed(const NodeResult& result) {
  event::LogLine line;
  line.stream = "agent";
  line.text = "the target could not be told that the run is over; it will notice by itself";
  if (!result.message.empty())
    line.text += ": " + result.message;
  tell(result.node, std::move(line), Level::warn);
}

void Scheduler::State::end_as(NodeIndex index, Outcome outcome, std::string_view reason,
                              Instant now) {
  decide(index, verdict_of(index, outcome, reason), now);
  end(index);
}

void Scheduler::State::end(NodeIndex index) {
  NodeRecord& node = nodes[index];
  if (node.phase == Phase::ended)
    throw Error(ErrorKind::internal, "node " + plan.nodes[index].name + " ended twice");
  tell_unreached_stages(index);
  event::NodeFinished ended;
  ended.outcome = node.verdict.outcome;
  ended.reason = node.verdict.reason;
  ended.changed = node.verdict.changed;
  ended.rollback = node.verdict.rollback;
  ended.generation_after = node.verdict.generation_after;
  ended.decides_by = node.verdict.decides_by;
  if (node.started && node.decided)
    ended.duration = *node.decided - *node.started;
  tell(index, std::move(ended), level_of(node.verdict.outcome), node.verdict.message);
  enter(index, Phase::ended);
}

} // namespace belay::run
