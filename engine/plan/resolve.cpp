// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/resolve.h"

#include "engine/plan/resolve_node.h"
#include "engine/plan/wording.h"

#include <algorithm>
#include <set>
#include <utility>

namespace belay::plan {
namespace {

class Resolver {
public:
  Resolver(const ResolveInput& input, Diagnostics& problems) : input_(input), problems_(problems) {}

  Plan resolve() {
    plan_.file = file() ? file()->name : "";
    plan_.environment = file() ? file()->environment.value_or("") : "";
    check_targets();
    check_overrides();
    for (const FlakeOutput& flake : input_.flakes) {
      plan_.flakes.push_back(flake.flake);
      add_nodes(flake);
    }
    set_policy();
    set_reports();
    return std::move(plan_);
  }

private:
  const PlanFile* file() const { return input_.file; }

  void error(std::string code, std::string message, Mark mark, std::string hint) {
    problems_.push_back({Diagnostic::Severity::error, std::move(code), std::move(message),
                         mark.line > 0 ? file()->name : "", mark.line, mark.column,
                         std::move(hint)});
  }

  /// Targets that came from the plan file are shown there.
  Mark targets_mark() const {
    const bool from_file = file() && input_.overrides.targets.empty() && !file()->targets.empty();
    return from_file ? file()->targets_mark.value_or(Mark{}) : Mark{};
  }

  void check_targets() {
    for (const Target& target : input_.targets) {
      for (const FlakeOutput& flake : input_.flakes) {
        if (flake.flake == target.flake && target.node) {
          check_target(target, flake);
        }
      }
    }
  }

  void check_target(const Target& target, const FlakeOutput& flake) {
    const auto node = flake.nodes.find(*target.node);
    if (node == flake.nodes.end()) {
      error("unknown-node",
            "flake " + in_quotes(flake.flake) + " has no node " + in_quotes(*target.node),
            targets_mark(), did_you_mean(*target.node, node_names(flake)));
      return;
    }
    const auto& names = node->second.profile_names;
    if (target.profile && std::find(names.begin(), names.end(), *target.profile) == names.end()) {
      error("unknown-profile",
            "node " + in_quotes(*target.node) + " has no profile " + in_quotes(*target.profile),
            targets_mark(), did_you_mean(*target.profile, names));
    }
  }

  static std::vector<std::string> node_names(const FlakeOutput& flake) {
    std::vector<std::string> names;
    for (const auto& [name, node] : flake.nodes) {
      names.push_back(name);
    }
    return names;
  }

  /// Nodes and profiles that the plan file speaks of and no flake has.
  void check_overrides() {
    if (!file() || input_.flakes.empty()) {
      return;
    }
    std::map<std::string, std::vector<std::string>> profiles;
    std::vector<std::string> names;
    for (const FlakeOutput& flake : input_.flakes) {
      for (const auto& [name, node] : flake.nodes) {
        names.push_back(name);
        auto& known = profiles[name];
        known.insert(known.end(), node.profile_names.begin(), node.profile_names.end());
      }
    }
    const auto first = static_cast<std::ptrdiff_t>(problems_.size());
    for (const auto& [name, node] : file()->nodes) {
      const auto known = profiles.find(name);
      if (known == profiles.end()) {
        error("unknown-node", "unknown node " + in_quotes(name), node.mark,
              did_you_mean(name, names));
      } else {
        check_profile_overrides(name, node, known->second);
      }
    }
    std::sort(problems_.begin() + first, problems_.end(), // by place, not by name
              [](const Diagnostic& a, const Diagnostic& b) {
                return std::pair(a.line, a.column) < std::pair(b.line, b.column);
              });
  }

  void check_profile_overrides(const std::string& node_name, const NodeOverride& node,
                               const std::vector<std::string>& names) {
    for (const auto& [name, profile] : node.profiles) {
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        error("unknown-profile",
              "unknown profile " + in_quotes(name) + " of node " + in_quotes(node_name),
              profile.mark, did_you_mean(name, names));
      }
    }
  }

  void add_nodes(const FlakeOutput& flake) {
    for (const auto& [name, node] : flake.nodes) {
      if (!node.selected) {
        continue;
      }
      if (!names_.insert(name).second) {
        error("duplicate-node", "node " + in_quotes(name) + " is in several of the flakes", {},
              "deploy them in runs of their own, or rename one");
        continue;
      }
      if (auto resolved = resolve_node(input_, flake, name, node, problems_)) {
        plan_.nodes.push_back(std::move(*resolved));
      }
    }
  }

  void set_policy() {
    const Overrides& line = input_.overrides;
    const PlanFile none;
    const PlanFile& yaml = file() ? *file() : none;
    Policy& policy = plan_.policy;
    policy.mode = line.mode;
    policy.on_failure = line.on_failure.value_or(yaml.on_failure.value_or(OnFailure::stop));
    policy.rollback_succeeded = line.rollback_succeeded.value_or(
        yaml.rollback_succeeded.value_or(policy.on_failure == OnFailure::stop));
    if (line.settings.auto_rollback == false) {
      policy.rollback_succeeded = false; // as in deploy-rs, where the flag covers both
    }
    if (line.mode == Mode::dry_activate) {
      policy.rollback_succeeded = false; // nothing succeeds that could be taken back
    }
    policy.parallel = line.parallel.value_or(yaml.parallel.value_or(policy.parallel));
    policy.grace = line.grace.value_or(yaml.grace.value_or(policy.grace));
    policy.lock_wait = line.lock_wait.value_or(yaml.lock_wait.value_or(policy.lock_wait));
    policy.deadline = line.deadline.value_or(yaml.deadline.value_or(policy.deadline));
    policy.limits.evaluate = yaml.limit_evaluate.value_or(1);
    policy.limits.build = yaml.limit_build.value_or(policy.parallel);
    policy.limits.copy = yaml.limit_copy.value_or(std::min(policy.parallel, 4));
    policy.limits.activate = yaml.limit_activate.value_or(policy.parallel);
  }

  void set_reports() {
    if (file()) {
      plan_.reports = file()->reports;
      plan_.webhooks = file()->webhooks;
    }
    const Reports& line = input_.overrides.reports;
    plan_.reports.events = line.events ? line.events : plan_.reports.events;
    plan_.reports.junit = line.junit ? line.junit : plan_.reports.junit;
    plan_.reports.log_folder = line.log_folder;
    plan_.reports.log_on_console = line.log_on_console;
    plan_.reports.progress = line.progress;
  }

  const ResolveInput& input_;
  Diagnostics& problems_;
  Plan plan_;
  std::set<std::string> names_;
};

} // namespace

std::vector<Target> selected_targets(const Overrides& overrides, const PlanFile* file) {
  std::vector<std::string> texts = overrides.targets;
  if (texts.empty() && file && !overrides.file) {
    texts = file->targets;
  }
  if (texts.empty()) {
    texts.emplace_back(".");
  }
  std::vector<Target> targets;
  for (const std::string& text : texts) {
    targets.push_back(overrides.file ? parse_file_target(*overrides.file, text)
                                     : parse_target(text));
  }
  return targets;
}

Plan resolve(const ResolveInput& input, Diagnostics& problems) {
  return Resolver(input, problems).resolve();
}

} // namespace belay::plan
