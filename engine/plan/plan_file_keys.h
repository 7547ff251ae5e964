// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/section.h"

// The keys of `belay.yaml`, section by section.

namespace belay::plan {

/// What the file says, and the marks of what can only be judged once all of it is read.
struct RawPlanFile {
  PlanFile file;
  std::optional<int> version;
  std::optional<std::string> flake;
  std::optional<std::vector<std::string>> targets;
  std::optional<std::string> on_failure;
};

const Keys<Settings>& settings_section();
const Keys<ProfileOverride>& profile_section();
const Keys<NodeOverride>& node_section();
const Keys<RawPlanFile>& limits_section();
const Keys<Reports>& reports_section();
const Keys<Webhook>& webhook_section();
const Keys<RawPlanFile>& top_section();

/// What must hold between the keys of one webhook.
void check_webhook(const YamlNode& map, const Webhook& webhook, const std::string& section,
                   Problems& problems);

} // namespace belay::plan
