// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/diagnostic.h"
#include "engine/plan/plan.h"
#include "engine/plan/settings.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// `belay.yaml`, read but not yet joined with the flake. Every value that can turn out to be wrong
// only later (a node name that the flake does not have) keeps its mark, so that the message can
// still say file, line and column. A file that is YAML at all is read whole: all problems at once.

namespace belay::plan {

struct Mark {
  int line = 0; ///< 1-based
  int column = 0;
};

struct ProfileOverride {
  Mark mark;
  Settings settings;
  std::optional<std::string> profile_path;
};

struct NodeOverride {
  Mark mark;
  Settings settings;
  std::optional<std::string> hostname;
  std::optional<std::string> host_key;
  std::optional<bool> skip;
  std::map<std::string, ProfileOverride> profiles;
};

struct PlanFile {
  std::string name; ///< as the user named it
  /// It was there, YAML, and a map: what it does not say is unset, not unknown.
  bool was_read = false;
  std::vector<std::string>
      targets; ///< `targets`, or `flake` alone; relative flakes made relative to the file
  std::optional<Mark> targets_mark;
  std::optional<std::string> environment;
  std::optional<int> parallel;
  std::optional<int> limit_evaluate, limit_build, limit_copy, limit_activate;
  std::optional<OnFailure> on_failure;
  std::optional<bool> rollback_succeeded;
  std::optional<Seconds> grace;
  std::optional<Seconds> lock_wait;
  std::optional<Seconds> deadline;
  Settings settings;
  std::map<std::string, NodeOverride> nodes;
  Reports reports;               ///< relative paths made relative to the file's folder
  std::vector<Webhook> webhooks; ///< those without a problem
};

/// Reads YAML text. Never throws for bad content: it adds to `problems`. `name` is what messages
/// call the file; its folder is where relative paths start.
PlanFile parse_plan_file(std::string_view text, const std::string& name, Diagnostics& problems);

/// Reads the file (at most 4 MiB). A file that is not there is a problem as well.
PlanFile load_plan_file(const std::string& path, Diagnostics& problems);

/// The JSON Schema (draft-07) of the plan file: `belay schema plan`.
std::string plan_schema();

} // namespace belay::plan
