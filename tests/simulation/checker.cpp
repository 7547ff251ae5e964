// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/checker.h"

#include <algorithm>

namespace belay::simulation {

using event::Outcome;
using event::Stage;

namespace {

std::optional<Work> work_of(const NodeRecord& node, const std::string& profile, Stage stage) {
  const Work copy = node.turned_down             ? Work::survey
                    : node.remote_builds.empty() ? Work::copy
                                                 : Work::build_there;
  switch (stage) {
  case Stage::build:
    return node.remote_builds.contains(profile) ? copy : Work::build;
  case Stage::sign:
  case Stage::copy:
  case Stage::lock:
    return copy;
  case Stage::activate:
  case Stage::confirm:
  case Stage::verify:
    return Work::activate;
  case Stage::rollback:
    return Work::rollback;
  case Stage::evaluate:
  case Stage::check:
    break;
  }
  return std::nullopt;
}

} // namespace

std::string_view name_of(Work work) {
  constexpr std::string_view names[] = {"build",    "copy",        "activate",
                                        "rollback", "build there", "survey"};
  return names[static_cast<std::size_t>(work)];
}

Checker::Checker(const plan::Plan& plan, std::optional<WallTime> deadline)
    : policy_(plan.policy), deadline_(deadline) {
  const auto slots = [&](int limit) { return std::min(limit, policy_.parallel); };
  limits_ = {{Work::copy, slots(policy_.limits.copy)},
             {Work::build_there, slots(policy_.limits.build)},
             {Work::survey, policy_.parallel},
             {Work::activate, slots(policy_.limits.activate)},
             {Work::rollback, slots(policy_.limits.activate)},
             {Work::build, static_cast<int>(plan.nodes.size())}}; // one step for all
  for (const plan::Node& node : plan.nodes) {
    nodes_[node.name].skip = node.skip;
    nodes_[node.name].profiles = node.profiles.size();
    for (const plan::Profile& profile : node.profiles)
      nodes_[node.name].revocable += profile.auto_rollback ? 1 : 0;
  }
}

void Checker::fail(const std::string& what) {
  std::string where;
  if (event_ != nullptr)
    where = "event " + std::to_string(event_->sequence) + " (" +
            std::string(event::type_of(event_->payload)) + " " + event_->subject.node + " " +
            event_->subject.profile + "): ";
  violations_.push_back(where + what);
}

void Checker::require(bool holds, std::string_view what) {
  if (!holds)
    fail(std::string(what));
}

void Checker::on_event(const event::Event& event) {
  event_ = &event;
  require(event.sequence == ++sequence_, "the numbering has a gap");
  require(!run_finished_, "run.finished was not the last");
  const event::Payload& payload = event.payload;
  require(cancel_ || !deadline_ || event.time <= *deadline_, "the deadline passed unnoticed");
  NodeRecord* node = event.subject.node.empty() ? nullptr : &nodes_[event.subject.node];
  if (const auto* plan = std::get_if<event::PlanResolved>(&payload))
    take(*plan);
  else if (std::holds_alternative<event::NodeQueued>(payload))
    ++node->queued;
  else if (std::holds_alternative<event::NodeStarted>(payload))
    require(++node->started == 1 && !node->finished, "node.started out of place");
  else if (std::holds_alternative<event::StageStarted>(payload))
    take_stage_started();
  else if (const auto* ended = std::get_if<event::StageFinished>(&payload))
    take_stage_finished(*ended);
  else if (const auto* back = std::get_if<event::NodeRolledBack>(&payload))
    node->rolled_back_itself |= back->trigger != event::RollbackTrigger::run_failed;
  else if (const auto* log = std::get_if<event::LogLine>(&payload); log && log->text == "finish")
    take_finish_step();
  else if (const auto* finished = std::get_if<event::NodeFinished>(&payload))
    take(*finished);
  else if (const auto* cancel = std::get_if<event::CancelRequested>(&payload))
    take(*cancel);
  else if (const auto* run = std::get_if<event::RunFinished>(&payload))
    run_finished_ = *run;
  event_ = nullptr;
}

void Checker::take(const event::CancelRequested& cancel) {
  const bool late = cancel.source == event::cancel_sources::timeout;
  require(!cancel_ || (is_late() && !late), "a second cancel.requested");
  require(!late || event_->time == deadline_, "a deadline that is not the run's");
  cancelled_at_ = cancel_ ? cancelled_at_ : event_->time;
  cancel_ = cancel;
}

void Checker::take(const event::PlanResolved& plan) {
  for (const auto& node : plan.nodes)
    for (const auto& profile : node.profiles) {
      if (profile.remote_build)
        nodes_[node.id].remote_builds.insert(profile.name);
      for (const Stage stage : profile.stages)
        nodes_[node.id].stages[{profile.name, stage}] = {};
    }
}

bool Checker::turned_down_now(const NodeRecord& node) const {
  return event_->subject.stage == Stage::copy && !node.at &&
         std::none_of(node.stages.begin(), node.stages.end(),
                      [](const auto& entry) { return entry.second.started; });
}

void Checker::take_stage_started() {
  NodeRecord& node = nodes_[event_->subject.node];
  node.turned_down |= turned_down_now(node);
  const Stage stage = *event_->subject.stage;
  const Work work = *work_of(node, event_->subject.profile, stage);
  require(node.started == 1, "a stage started before its node");
  require(!node.finished, "a stage started after its node had ended");
  if (node.at != work)
    check_start(node, work);
  if (stage == Stage::rollback)
    return;
  const auto found = node.stages.find({event_->subject.profile, stage});
  if (found == node.stages.end())
    return fail("a stage that was not announced");
  require(!found->second.started && !found->second.ended, "a stage started twice");
  found->second.started = true;
  if (stage == Stage::copy && !node.turned_down)
    check_built(node, event_->subject.profile);
}

void Checker::take_stage_finished(const event::StageFinished& ended) {
  NodeRecord& node = nodes_[event_->subject.node];
  const Stage stage = *event_->subject.stage;
  if (is_bad(ended.outcome))
    node.failed = node.failed.value_or(event_->time);
  if (stage == Stage::rollback)
    return take_rollback_ended(node, ended);
  const auto found = node.stages.find({event_->subject.profile, stage});
  if (found == node.stages.end())
    return require(stage == Stage::evaluate, "an end of a stage that was not announced");
  require(!found->second.ended, "a stage ended twice");
  require(found->second.started || ended.outcome == Outcome::skipped || stage == Stage::evaluate,
          "a stage ended that had not started");
  require(!node.finished, "a stage ended after its node");
  found->second.ended = ended;
  const auto work = work_of(node, event_->subject.profile, stage);
  const bool over = std::all_of(node.stages.begin(), node.stages.end(), [&](const auto& entry) {
    return work_of(node, entry.first.first, entry.first.second) != work || entry.second.ended;
  });
  if (over && work && node.at == work)
    take_work_ended(node, *work);
}

void Checker::take_rollback_ended(NodeRecord& node, const event::StageFinished& ended) {
  if (!node.rollback_end || ended.outcome != Outcome::success)
    node.rollback_end = ended;
  if (++node.rollback_stages == node.revocable)
    take_work_ended(node, Work::rollback);
}

void Checker::take_work_ended(NodeRecord& node, Work work) {
  node.at.reset();
  --busy_[work];
  if (work == Work::activate && activated(node))
    node.activation_rank = ++activations_;
}

void Checker::take_finish_step() {
  NodeRecord& node = nodes_[event_->subject.node];
  check_finish_step(node);
  ++node.finish_steps;
}

void Checker::take(const event::NodeFinished& finished) {
  NodeRecord& node = nodes_[event_->subject.node];
  require(!node.finished, "a node ended twice");
  require(!node.at, "a node ended while a step was at work on it");
  check_verdict(node, finished);
  node.finished = finished;
}

void Checker::close(bool left) {
  if (left)
    return;
  for (const auto& [name, node] : nodes_) {
    const std::size_t before = violations_.size();
    check_node_at_end(node);
    for (std::size_t i = before; i < violations_.size(); ++i)
      violations_[i] = name + ": " + violations_[i];
  }
  check_policy_at_end();
  if (run_finished_)
    check_run_finished(*run_finished_);
  else
    fail("no run.finished");
}

} // namespace belay::simulation
