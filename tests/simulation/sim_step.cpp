// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/sim_step.h"

#include "engine/run/announcement.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace belay::simulation {

namespace {

event::Draft draft_of(event::Payload payload, event::Subject subject) {
  return {std::move(payload), std::move(subject), event::Level::info, {}};
}

} // namespace

SimStep::SimStep(const plan::Plan& plan, const run::Step& step, std::size_t trouble, Random random,
                 Instant now)
    : plan_(plan), step_(step), trouble_(trouble), random_(random), at_(now) {
  write();
}

void SimStep::write() {
  switch (step_.kind) {
  case run::StepKind::survey:
    return survey();
  case run::StepKind::build:
    return build();
  case run::StepKind::copy:
    return copy();
  case run::StepKind::activate:
    return activate();
  case run::StepKind::rollback:
    return roll_back();
  case run::StepKind::finish:
    return finish();
  case run::StepKind::evaluate:
    break;
  }
  throw std::logic_error("no such step in this world");
}

void SimStep::add(Action::Kind kind, const StageKey& key, run::Occurrence occurrence) {
  actions_.push_back({at_, kind, key, std::move(occurrence)});
}

void SimStep::cover() {
  const run::StepKind covered =
      step_.kind == run::StepKind::survey ? run::StepKind::copy : step_.kind;
  for (const run::NodeIndex node : step_.nodes)
    for (std::size_t profile = 0; profile < plan_.nodes[node].profiles.size(); ++profile)
      for (const event::Stage stage : run::stages_of(plan_.nodes[node].profiles[profile]))
        if (run::step_of(plan_.nodes[node].profiles[profile], stage) == covered)
          covered_.push_back({node, profile, stage});
}

void SimStep::begin(const StageKey& key) {
  const plan::Node& node = plan_.nodes[key.node];
  event::Subject subject{node.name, node.profiles[key.profile].name, key.stage};
  add(Action::Kind::begin, key,
      run::StepOutput{step_.id, draft_of(event::StageStarted{}, std::move(subject))});
}

void SimStep::end(const StageKey& key, Outcome outcome, std::string_view reason) {
  const plan::Node& node = plan_.nodes[key.node];
  event::Subject subject{node.name, node.profiles[key.profile].name, key.stage};
  event::StageFinished ended;
  ended.outcome = outcome;
  ended.reason = reason;
  written_.insert(key);
  add(Action::Kind::end, key,
      run::StepOutput{step_.id, draft_of(std::move(ended), std::move(subject))});
}

void SimStep::skip_rest(std::string_view reason) {
  for (const StageKey& key : covered_)
    if (!written_.contains(key))
      end(key, Outcome::skipped, reason);
}

void SimStep::tell(run::NodeIndex node, const std::string& profile, event::Payload payload) {
  event::Subject subject{plan_.nodes[node].name, profile, std::nullopt};
  add(Action::Kind::tell, {},
      run::StepOutput{step_.id, draft_of(std::move(payload), std::move(subject))});
}

void SimStep::tell_rolled_back(run::NodeIndex node, std::size_t profile,
                               event::RollbackTrigger trigger) {
  tell(node, plan_.nodes[node].profiles[profile].name,
       event::NodeRolledBack{42, 41, trigger, true});
}

void SimStep::give(std::vector<run::NodeResult> results) {
  add(Action::Kind::result, {}, run::StepResult{step_.id, std::move(results), {}});
}

run::NodeResult SimStep::verdict(Outcome outcome, std::string_view reason) const {
  run::NodeResult result;
  result.node = step_.nodes.front();
  result.outcome = outcome;
  result.reason = reason;
  return result;
}

run::Occurrence SimStep::take() {
  Action action = std::move(actions_.front());
  actions_.pop_front();
  if (action.kind == Action::Kind::begin)
    begun_.insert(action.key);
  if (action.kind == Action::Kind::end)
    ended_.insert(action.key);
  return std::move(action.occurrence);
}

} // namespace belay::simulation
