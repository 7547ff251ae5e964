// SPDX-License-Identifier: Apache-2.0
#include "engine/run/scheduler.h"

#include "engine/base/error.h"
#include "engine/run/announcement.h"
#include "engine/run/scheduler_state.h"

#include <algorithm>
#include <utility>

namespace belay::run {

namespace {

/// A limit of the policy: never more than `parallel`, never less than one.
int slots(int limit, const plan::Policy& policy) {
  return std::max(1, std::min(limit, policy.parallel));
}

/// For a node that a step's result leaves out.
NodeResult left_out(NodeIndex node, const RunningStep& step, const std::string& error) {
  return lost_result(node, step.kind, ErrorKind::internal,
                     error.empty() ? "the step did not say how this node went" : error);
}

} // namespace

Scheduler::State::State(const plan::Plan& the_plan, DraftSink& the_sink)
    : plan(the_plan), sink(the_sink),
      nodes(the_plan.nodes.size()), survey{StepKind::survey,
                                           slots(the_plan.policy.parallel, the_plan.policy)},
      copy{StepKind::copy, slots(the_plan.policy.limits.copy, the_plan.policy)},
      activate{StepKind::activate, slots(the_plan.policy.limits.activate, the_plan.policy)},
      rollback{StepKind::rollback, activate.limit}, finish{StepKind::finish,
                                                           slots(the_plan.policy.parallel,
                                                                 the_plan.policy)},
      build_there{StepKind::copy, slots(the_plan.policy.limits.build, the_plan.policy)} {
  live = uncopied = undecided = nodes.size();
}

/// Says who takes part; a node that cannot is a failure like any other.
void Scheduler::State::admit(Instant now) {
  for (NodeIndex index = 0; index < nodes.size(); ++index) {
    tell(index, event::NodeQueued{});
    nodes[index].verdict.node = index;
    if (!plan.nodes[index].skip && !plan.nodes[index].evaluation_error)
      survey.waiting.push_back(index);
  }
  for (NodeIndex index = 0; index < nodes.size(); ++index) {
    if (plan.nodes[index].skip)
      end_as(index, event::Outcome::skipped, event::reasons::skipped_by_plan, now);
    else if (plan.nodes[index].evaluation_error)
      refuse(index, now);
  }
}

/// Moves a node on; the counters that the barrier and the end depend on follow from its phase.
void Scheduler::State::enter(NodeIndex index, Phase phase) {
  const Phase before = std::exchange(nodes[index].phase, phase);
  if (before <= Phase::copying && phase > Phase::copying)
    --uncopied;
  if (before <= Phase::activating && phase > Phase::activating)
    --undecided;
  if (before != Phase::ended && phase == Phase::ended)
    --live;
}

Lane& Scheduler::State::copy_lane(NodeIndex index) {
  return builds_there(plan.nodes[index]) ? build_there : copy;
}

Lane* Scheduler::State::lane_of(StepKind kind, NodeIndex index) {
  if (kind == StepKind::copy)
    return &copy_lane(index);
  for (Lane* lane : {&survey, &activate, &rollback, &finish})
    if (lane->kind == kind)
      return lane;
  return nullptr;
}

/// Under `stop` nobody is activated before everybody is copied to. A failure empties the queue, so
/// it need not be asked about here.
bool Scheduler::State::barrier_open() const {
  return plan.policy.on_failure == plan::OnFailure::proceed || uncopied == 0;
}

Step Scheduler::State::start(StepKind kind, std::vector<NodeIndex> indices, Phase phase,
                             Instant now) {
  for (const NodeIndex index : indices) {
    NodeRecord& node = nodes[index];
    enter(index, phase);
    node.told_build |= kind == StepKind::build;
    node.told_copy |= kind == StepKind::copy;
    node.told_activate |= kind == StepKind::activate;
    if (!node.started)
      tell(index, event::NodeStarted{plan.nodes[index].hostname});
    node.started = node.started.value_or(now);
  }
  running.emplace(++last_id, RunningStep{kind, indices});
  return Step{last_id, kind, std::move(indices)};
}

/// Under `stop` a node that nobody can deploy to ends the run: nothing is built before all are
/// known not to be one.
bool Scheduler::State::builds_together(Instant now) const {
  const bool all_known = survey.waiting.empty() && survey.running == 0;
  return all_known || (plan.policy.on_failure == plan::OnFailure::proceed && now >= build_at);
}

std::optional<Step> Scheduler::State::next_build(Instant now) {
  if (to_build.empty() || building || !builds_together(now))
    return std::nullopt;
  building = true;
  build_at.reset();
  std::sort(to_build.begin(), to_build.end());
  return start(StepKind::build, std::exchange(to_build, {}), Phase::building, now);
}

std::optional<Step> Scheduler::State::next_of(Lane& lane, Phase phase, Instant now) {
  if (!lane.free())
    return std::nullopt;
  const NodeIndex index = lane.waiting.front();
  lane.waiting.pop_front();
  ++lane.running;
  return start(lane.kind, {index}, phase, now);
}

Scheduler::Scheduler(const plan::Plan& plan, Instant now, DraftSink& sink)
    : state_(std::make_unique<State>(plan, sink)) {
  state_->admit(now);
}

Scheduler::~Scheduler() = default;

std::optional<Step> Scheduler::next(Instant now) {
  State& state = *state_;
  state.drop_late_finishes(now);
  if (auto step = state.next_of(state.survey, Phase::surveying, now))
    return step;
  if (auto step = state.next_build(now))
    return step;
  if (auto step = state.next_of(state.rollback, Phase::rolling_back, now))
    return step;
  if (auto step = state.next_of(state.finish, Phase::finishing, now))
    return step;
  if (state.barrier_open())
    if (auto step = state.next_of(state.activate, Phase::activating, now))
      return step;
  if (auto step = state.next_of(state.build_there, Phase::copying, now))
    return step;
  return state.next_of(state.copy, Phase::copying, now);
}

void Scheduler::finished(const StepResult& result, Instant now) {
  State& state = *state_;
  auto found = state.running.extract(result.id);
  if (found.empty())
    throw Error(ErrorKind::internal, "a step ended that does not run");
  const RunningStep& step = found.mapped();
  if (Lane* lane = state.lane_of(step.kind, step.nodes.front()))
    --lane->running;
  if (step.kind == StepKind::build)
    state.building = false;
  std::unordered_map<NodeIndex, const NodeResult*> told;
  for (const NodeResult& node : result.nodes)
    told.emplace(node.node, &node);
  for (const NodeIndex index : step.nodes) {
    const auto node = told.find(index);
    state.take(step.kind, node != told.end() ? *node->second : left_out(index, step, result.error),
               now);
  }
  state.settle(now);
}

void Scheduler::cancel(Instant now) {
  state_->cancel(now);
}

void Scheduler::leave(Instant now) {
  state_->leave(now);
}

std::optional<Instant> Scheduler::abandon_at() const {
  return state_->abandon_at;
}

std::optional<Instant> Scheduler::wake_at(Instant now) const {
  const State& state = *state_;
  // A time that has passed would wake the loop again and again for nothing.
  if (state.abandon_at && *state.abandon_at > now && !state.finish.waiting.empty())
    return state.abandon_at;
  if (state.build_at && *state.build_at > now && !state.to_build.empty() &&
      state.plan.policy.on_failure == plan::OnFailure::proceed)
    return state.build_at;
  return std::nullopt;
}

bool Scheduler::done() const {
  return state_->live == 0 && state_->running.empty();
}

} // namespace belay::run
