// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/plan.h"

#include <cstddef>
#include <string>

// Plans for tests that need some nodes and do not care what is deployed.

namespace belay::fakes {

inline StorePath store_path(const std::string& name) {
  return *StorePath::parse("/nix/store/" + std::string(32, '0') + "-" + name);
}

inline plan::Profile make_profile(const std::string& name) {
  return plan::Profile{
      .name = name, .path = store_path(name), .derivation = {}, .profile_path = {}, .user = "root"};
}

/// With profiles named "system", "profile-1", "profile-2", …
inline plan::Node make_node(const std::string& name, std::size_t profiles = 1) {
  plan::Node node;
  node.name = name;
  node.flake = ".";
  node.hostname = name + ".example";
  for (std::size_t i = 0; i < profiles; ++i)
    node.profiles.push_back(make_profile(i == 0 ? "system" : "profile-" + std::to_string(i)));
  return node;
}

/// Nodes "node-0", "node-1", … of one profile, and the default policy (stop).
inline plan::Plan make_plan(std::size_t nodes) {
  plan::Plan plan;
  plan.flakes = {"."};
  for (std::size_t i = 0; i < nodes; ++i)
    plan.nodes.push_back(make_node("node-" + std::to_string(i)));
  return plan;
}

} // namespace belay::fakes
