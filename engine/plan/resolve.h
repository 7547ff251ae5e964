// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/flake_output.h"
#include "engine/plan/plan.h"
#include "engine/plan/plan_file.h"

#include <optional>
#include <string>
#include <vector>

// Command line + plan file + flake outputs = Plan. Precedence, highest first: command line, YAML
// profile, YAML node, YAML settings, flake profile, flake node, flake deploy, built-in default.

namespace belay::plan {

/// What the command line says; unset = it said nothing.
struct Overrides {
  std::vector<std::string> targets; ///< replaces the plan file's
  std::optional<std::string> file;  ///< `--file`: targets are nodes of it, those of the plan file
                                    ///< are not used
  Settings settings;
  std::optional<std::string> hostname; ///< applies to every node, as in deploy-rs
  std::optional<int> parallel;
  std::optional<OnFailure> on_failure;
  Mode mode = Mode::activate;
  std::optional<bool> rollback_succeeded;
  std::optional<Seconds> grace;
  std::optional<Seconds> lock_wait;
  std::optional<Seconds> deadline;
  Reports reports;
};

/// The targets of a run: command line, else plan file, else ".". Throws Error{usage}.
std::vector<Target> selected_targets(const Overrides& overrides, const PlanFile* file);

struct ResolveInput {
  Overrides overrides;
  const PlanFile* file = nullptr; ///< nullptr = there is none
  std::vector<Target> targets;
  std::vector<FlakeOutput> flakes;
  std::string local_user; ///< the ssh user where nobody names one, as in deploy-rs
};

/// Joins them. Everything that is wrong goes to `problems`; the plan is of use only if that holds
/// no error. Problems found here: unknown node or profile (target, YAML, profilesOrder) with what
/// was probably meant, the same node from two flakes, a path that is not directly in the store,
/// several derivations in a path's context, a missing user, values out of range, interactiveSudo.
Plan resolve(const ResolveInput& input, Diagnostics& problems);

} // namespace belay::plan
