// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/plan.h"

#include "engine/base/text.h"
#include "engine/plan/target.h"

#include <algorithm>
#include <array>

namespace belay::plan {
namespace {

using Row = std::array<std::string, 6>;

std::string seconds(Seconds value) {
  return std::to_string(value.count()) + " s";
}

std::string rollback_of(const Profile& profile) {
  if (profile.mode == Mode::dry_activate) {
    return "dry run: changes nothing";
  }
  const std::string when = !profile.auto_rollback   ? "none"
                           : profile.magic_rollback ? "unless confirmed"
                                                    : "on failure";
  if (profile.mode == Mode::boot) {
    return when + ", for the next boot";
  }
  return profile.boot_default == BootDefault::after_confirm ? when + ", boots after confirm" : when;
}

Row row_of(const Node& node, const Profile& profile) {
  return {one_line(node.name),
          one_line(profile.login.user.empty() ? node.hostname
                                              : profile.login.user + "@" + node.hostname),
          one_line(profile.name) + " (" + one_line(profile.user) + ")",
          "activate " + seconds(profile.activation_timeout) + ", confirm " +
              (profile.magic_rollback ? seconds(profile.confirm_timeout) : "off"),
          rollback_of(profile),
          profile.path.string()};
}

void add_rows(std::vector<Row>& rows, const Node& node) {
  if (node.skip) {
    rows.push_back(
        {one_line(node.name), one_line(node.hostname), "-", "", "skipped by the plan", ""});
    return;
  }
  for (const Profile& profile : node.profiles) {
    rows.push_back(row_of(node, profile));
  }
  for (const std::string& name : node.unevaluated_profiles) {
    rows.push_back(
        {one_line(node.name), one_line(node.hostname), one_line(name), "", "", "NOT EVALUATED"});
  }
}

/// Columns on a terminal: code points, which is near enough for names.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string render(const std::vector<Row>& rows) {
  std::array<std::size_t, 6> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], width_of(row[i]));
    }
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i] + std::string(widths[i] - width_of(row[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

std::string policy_line(const Policy& policy) {
  const std::string failure =
      policy.on_failure == OnFailure::stop ? "stop at the first failure" : "go on after a failure";
  const std::string rollback =
      policy.rollback_succeeded ? "roll back the confirmed nodes too" : "leave the confirmed nodes";
  const Limits& limits = policy.limits;
  const std::string mode =
      policy.mode == Mode::activate ? "" : std::string(name_of(policy.mode)) + "; ";
  return "policy: " + mode + failure + ", " + rollback + "; " + std::to_string(policy.parallel) +
         " at once (evaluate " + std::to_string(limits.evaluate) + ", build " +
         std::to_string(limits.build) + ", copy " + std::to_string(limits.copy) + ", activate " +
         std::to_string(limits.activate) + "); grace " + seconds(policy.grace) + "; lock wait " +
         seconds(policy.lock_wait) +
         (policy.deadline.count() > 0 ? "; deadline " + seconds(policy.deadline) : "") + "\n";
}

std::string head_line(const Plan& plan) {
  std::string text;
  if (!plan.environment.empty()) {
    text += plan.environment + "  ";
  }
  for (const std::string& flake : plan.flakes) {
    text += one_line(flake) + "  ";
  }
  if (!plan.file.empty()) {
    text += "with " + one_line(plan.file) + "  ";
  }
  return text + std::to_string(plan.nodes.size()) + (plan.nodes.size() == 1 ? " node" : " nodes") +
         "\n";
}

} // namespace

template <> std::span<const std::string_view> names_of<OnFailure>() {
  static constexpr std::array<std::string_view, 2> names{"stop", "continue"};
  return names;
}

bool is_user_name(std::string_view name) {
  if (name.ends_with('$')) {
    name.remove_suffix(1);
  }
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && is_word(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return is_word(c) || c == '.' || c == '-'; });
}

template <> std::span<const std::string_view> names_of<Mode>() {
  static constexpr std::array<std::string_view, 3> names{"activate", "dry-activate", "boot"};
  return names;
}

std::string_view name_of(Mode mode) {
  return names_of<Mode>()[static_cast<std::size_t>(mode)];
}

std::string target_of(const Node& node) {
  return node.flake + "#" + nix_attribute(node.name);
}

std::string plan_to_table(const Plan& plan) {
  std::vector<Row> rows{{"NODE", "HOST", "PROFILE (USER)", "TIMEOUTS", "ROLLBACK", "PATH"}};
  for (const Node& node : plan.nodes) {
    add_rows(rows, node);
  }
  return head_line(plan) + render(rows) + policy_line(plan.policy);
}

} // namespace belay::plan
