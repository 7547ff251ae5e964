// SPDX-License-Identifier: Apache-2.0
#include "engine/run/announcement.h"

#include <algorithm>

namespace belay::run {

namespace {

event::Mode mode_of(plan::Mode mode) {
  switch (mode) {
  case plan::Mode::activate:
    break;
  case plan::Mode::dry_activate:
    return event::Mode::dry_activate;
  case plan::Mode::boot:
    return event::Mode::boot;
  }
  return event::Mode::activate;
}

event::PlanResolved::Node announce_node(const plan::Node& node) {
  event::PlanResolved::Node announced{node.name, node.hostname, plan::target_of(node), {}};
  for (const plan::Profile& profile : node.profiles)
    announced.profiles.push_back(
        {profile.name, stages_of(profile), profile.path.string(), profile.remote_build});
  for (const std::string& name : node.unevaluated_profiles)
    announced.profiles.push_back({name, {event::Stage::evaluate}, "", false});
  return announced;
}

} // namespace

std::vector<event::Stage> stages_of(const plan::Profile& profile) {
  using event::Stage;
  std::vector<Stage> stages{Stage::build};
  if (profile.signing_key)
    stages.push_back(Stage::sign);
  stages.insert(stages.end(), {Stage::copy, Stage::lock, Stage::activate});
  if (profile.mode == plan::Mode::dry_activate) // no link is set that could be read back
    return stages;
  if (profile.magic_rollback)
    stages.push_back(Stage::confirm);
  stages.push_back(Stage::verify);
  return stages;
}

StepKind step_of(const plan::Profile& profile, event::Stage stage) {
  using event::Stage;
  switch (stage) {
  case Stage::build:
    return profile.remote_build ? StepKind::copy : StepKind::build;
  case Stage::sign:
  case Stage::copy:
  case Stage::lock:
    return StepKind::copy;
  case Stage::activate:
  case Stage::confirm:
  case Stage::verify:
    return StepKind::activate;
  case Stage::rollback:
    return StepKind::rollback;
  case Stage::evaluate:
  case Stage::check:
    break;
  }
  return StepKind::evaluate;
}

bool builds_there(const plan::Node& node) {
  return std::any_of(node.profiles.begin(), node.profiles.end(),
                     [](const plan::Profile& profile) { return profile.remote_build; });
}

event::PlanResolved announce(const plan::Plan& plan) {
  event::PlanResolved resolved;
  resolved.parallel = plan.policy.parallel;
  resolved.mode = mode_of(plan.policy.mode);
  resolved.nodes.reserve(plan.nodes.size());
  for (const plan::Node& node : plan.nodes)
    resolved.nodes.push_back(announce_node(node));
  return resolved;
}

} // namespace belay::run
