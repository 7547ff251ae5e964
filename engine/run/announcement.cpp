// SPDX-License-Identifier: Apache-2.0
#include "engine/run/announcement.h"

namespace belay::run {

namespace {

event::PlanResolved::Node announce_node(const plan::Node& node) {
  event::PlanResolved::Node announced{node.name, node.hostname, plan::target_of(node), {}};
  for (const plan::Profile& profile : node.profiles)
    announced.profiles.push_back({profile.name, stages_of(profile), profile.path.string()});
  for (const std::string& name : node.unevaluated_profiles)
    announced.profiles.push_back({name, {event::Stage::evaluate}, ""});
  return announced;
}

} // namespace

std::vector<event::Stage> stages_of(const plan::Profile& profile) {
  using event::Stage;
  if (profile.magic_rollback)
    return {Stage::build, Stage::copy, Stage::lock, Stage::activate, Stage::confirm, Stage::verify};
  return {Stage::build, Stage::copy, Stage::lock, Stage::activate, Stage::verify};
}

event::PlanResolved announce(const plan::Plan& plan) {
  event::PlanResolved resolved;
  resolved.parallel = plan.policy.parallel;
  resolved.nodes.reserve(plan.nodes.size());
  for (const plan::Node& node : plan.nodes)
    resolved.nodes.push_back(announce_node(node));
  return resolved;
}

} // namespace belay::run
