// SPDX-License-Identifier: Apache-2.0
#include "engine/event/run_state.h"

#include "engine/base/text.h"
#include "engine/event/streams.h"

#include <algorithm>
#include <utility>

namespace belay::event {

namespace {

/// Appends, and cuts only once twice the limit is reached: a copy of the tail every 64 KiB and not
/// with every line.
void append_log(std::string& log, std::string_view text) {
  log += text;
  if (log.size() > 2 * log_tail_limit)
    log = std::string(tail(log, log_tail_limit));
}

void keep_tail(std::string& log, std::size_t limit) {
  if (log.size() > limit)
    log = std::string(tail(log, limit));
  log.shrink_to_fit();
}

template <typename List> auto* find_by_name(List& list, std::string_view name) {
  const auto found =
      std::find_if(list.begin(), list.end(), [&](const auto& item) { return item.name == name; });
  return found == list.end() ? nullptr : &*found;
}

NodeState& node_of(RunState& state, std::string_view id) {
  if (NodeState* node = state.find(id))
    return *node;
  state.positions.emplace(id, state.nodes.size());
  NodeState& node = state.nodes.emplace_back();
  node.id = id;
  return node;
}

ProfileState& profile_of(NodeState& node, std::string_view name) {
  if (ProfileState* profile = find_by_name(node.profiles, name))
    return *profile;
  ProfileState& profile = node.profiles.emplace_back();
  profile.name = name;
  return profile;
}

StageState& stage_of(ProfileState& profile, Stage stage) {
  for (StageState& candidate : profile.stages)
    if (candidate.stage == stage)
      return candidate;
  StageState& added = profile.stages.emplace_back();
  added.stage = stage;
  return added;
}

/// The stage that an event is about; nullptr where it is about none of a node.
StageState* stage_of(RunState& state, const Subject& subject) {
  if (subject.node.empty() || !subject.stage)
    return nullptr;
  return &stage_of(profile_of(node_of(state, subject.node), subject.profile), *subject.stage);
}

/// Where log text goes: to its stage, else to its node, else to the run's evaluation or build.
std::string& log_of(RunState& state, const Subject& subject) {
  if (StageState* stage = stage_of(state, subject))
    return stage->log;
  if (!subject.node.empty())
    return node_of(state, subject.node).log;
  if (subject.stage == Stage::check)
    return state.check_log;
  return subject.stage == Stage::evaluate ? state.evaluate_log : state.build_log;
}

struct Fold {
  RunState& state;
  const Event& event;

  void operator()(const RunStarted& p) const {
    state.started = p;
    state.started_at = event.time;
  }
  void operator()(const PlanResolved& p) const {
    if (!state.plan)
      state.plan.emplace();
    state.plan->parallel = p.parallel;
    state.plan->mode = p.mode;
    state.plan->last = p.last;
    for (const PlanResolved::Node& planned : p.nodes) {
      state.plan->nodes.push_back(planned);
      announce(planned);
    }
  }
  void announce(const PlanResolved::Node& planned) const {
    NodeState& node = node_of(state, planned.id);
    node.host = planned.host;
    node.target = planned.target;
    for (const PlanResolved::Profile& profile : planned.profiles) {
      ProfileState& announced = profile_of(node, profile.name);
      announced.path = profile.path;
      announced.remote_build = profile.remote_build;
      announced.mode = state.plan->mode;
      for (const Stage stage : profile.stages)
        stage_of(announced, stage);
    }
  }
  void operator()(const DiagnosticFound& p) const {
    state.diagnostics.push_back({p, event.message});
  }
  void operator()(const EvaluateFinished& p) const {
    state.evaluate = p;
    state.evaluate_message = event.message;
  }
  void operator()(const CheckFinished& p) const {
    keep_tail(state.check_log,
              p.outcome == Outcome::success ? good_log_tail_limit : log_tail_limit);
    state.checks.push_back({p, std::exchange(state.check_log, {})});
    state.checking = false;
  }
  void operator()(const BuildFinished& p) const {
    if (p.outcome == Outcome::success && p.built_on.empty())
      ++(p.cached ? state.cached : state.built);
  }
  void operator()(const NodeQueued&) const { node_of(state, event.subject.node); }
  void operator()(const NodeStarted& p) const {
    NodeState& node = node_of(state, event.subject.node);
    node.started_at = event.time;
    if (!p.host.empty())
      node.host = p.host;
  }
  void operator()(const StageStarted&) const {
    if (event.subject.node.empty() && event.subject.stage == Stage::check)
      state.checking = true;
    if (StageState* stage = stage_of(state, event.subject)) {
      stage->started = true;
      stage->started_at = event.time;
    }
  }
  void operator()(const StageProgress& p) const {
    if (StageState* stage = stage_of(state, event.subject))
      stage->progress = p;
  }
  void operator()(const StageFinished& p) const {
    StageState* stage = stage_of(state, event.subject);
    if (stage == nullptr)
      return;
    stage->finished = p;
    stage->message = event.message;
    keep_tail(stage->log, p.outcome != Outcome::success ? log_tail_limit
                          : state.is_dry() && stage->stage == Stage::activate
                              ? dry_log_tail_limit
                              : good_log_tail_limit);
  }
  void operator()(const StageRetrying& p) const {
    if (StageState* stage = stage_of(state, event.subject))
      stage->retries.push_back({p, event.message});
  }
  void operator()(const LockWaiting&) const {}
  void operator()(const EarlierResolved& p) const {
    for (ProfileState& profile : node_of(state, event.subject.node).profiles)
      if (profile.name == event.subject.profile) // one that is not deployed now has no place here
        profile.earlier = p;
  }
  void operator()(const NodeRolledBack& p) const {
    profile_of(node_of(state, event.subject.node), event.subject.profile).rolled_back = p;
  }
  void operator()(const NodeFinished& p) const {
    NodeState& node = node_of(state, event.subject.node);
    if (node.finished && node.finished->outcome != Outcome::success)
      return; // said twice: a success does not take back what was said before
    node.finished = p;
    node.message = event.message;
    keep_tail(node.log, p.outcome == Outcome::success ? good_log_tail_limit : log_tail_limit);
  }
  void operator()(const LogLine& p) const {
    if (p.stream == streams::progress || p.stream == streams::note)
      return; // said for the moment
    std::string& log = log_of(state, event.subject);
    append_log(log, p.text);
    if (p.last && !p.text.ends_with('\n'))
      log += '\n';
  }
  void operator()(const Heartbeat&) const {}
  void operator()(const CancelRequested& p) const {
    const bool only_late = state.cancel && state.cancel->source == cancel_sources::timeout;
    if (!state.cancel || (only_late && p.source == cancel_sources::signal))
      state.cancel = p;
  }
  void operator()(const WebhookDelivered&) const {}
  void operator()(const WebhookFailed&) const { ++state.webhook_failures; }
  void operator()(const RunFinished& p) const { state.finished = p; }
};

} // namespace

NodeState* RunState::find(std::string_view node) {
  const auto position = positions.find(node);
  if (position != positions.end() && position->second < nodes.size() &&
      nodes[position->second].id == node)
    return &nodes[position->second];
  if (position == positions.end() && positions.size() == nodes.size())
    return nullptr;
  const auto found =
      std::find_if(nodes.begin(), nodes.end(), [&](const NodeState& n) { return n.id == node; });
  return found == nodes.end() ? nullptr : &*found;
}

const NodeState* RunState::find(std::string_view node) const {
  return const_cast<RunState*>(this)->find(node);
}

void fold(RunState& state, const Event& event) {
  if (state.run.empty())
    state.run = event.run;
  state.last_event_at = event.time;
  std::visit(Fold{state, event}, event.payload);
}

} // namespace belay::event
