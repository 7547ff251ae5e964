// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/resolve.h"

#include <string>
#include <vector>

// What the tests of a plan's resolution begin with: what two flake nodes evaluated to.

namespace belay::plan {

inline const std::string hash = "/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-";

inline FlakeProfile profile(const std::string& name) {
  FlakeProfile result;
  result.path = hash + name;
  result.derivations = {hash + name + ".drv"};
  return result;
}

inline FlakeNode node(const std::vector<std::string>& profiles) {
  FlakeNode result;
  result.selected = result.evaluated = true;
  result.hostname = "host";
  result.profile_names = profiles;
  for (const std::string& name : profiles) {
    result.profiles[name] = profile("closure");
  }
  return result;
}

/// A flake of two nodes that resolves without a problem.
struct ResolveWorld {
  ResolveInput input;
  PlanFile file;
  Diagnostics problems;

  ResolveWorld() {
    FlakeOutput flake;
    flake.flake = ".";
    flake.settings.ssh_user = "root";
    flake.nodes["web-1"] = node({"app", "system"});
    flake.nodes["db-1"] = node({"system"});
    input.flakes.push_back(flake);
    input.targets.push_back({});
    file.name = "belay.yaml";
  }
  FlakeNode& web() { return input.flakes[0].nodes["web-1"]; }

  Plan plan() {
    problems.clear();
    return resolve(input, problems);
  }
  Plan with_file() {
    input.file = &file;
    return plan();
  }
  std::string lines() {
    std::string text;
    for (const Diagnostic& problem : problems) {
      text += problem.line_text() + "\n";
    }
    return text;
  }
  /// The one problem of a plan.
  std::string problem() {
    with_file();
    return lines();
  }
};

inline std::vector<std::string> names_of(const Node& node) {
  std::vector<std::string> names;
  for (const Profile& profile : node.profiles) {
    names.push_back(profile.name);
  }
  return names;
}

using Names = std::vector<std::string>;

} // namespace belay::plan
