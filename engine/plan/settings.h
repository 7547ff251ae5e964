// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// deploy-rs's generic settings, under its names and with its types, which may stand at any level:
// flake deploy, node, profile; plan file settings, node, profile; command line. A level that says
// nothing about a key leaves it unset; `over` lays one level over another. Beside them stand the
// few settings that only belay has; they merge by the same rule.

namespace belay::plan {

using Seconds = std::chrono::seconds;

/// When a new generation becomes the one that the machine boots.
enum class BootDefault {
  with_activation, ///< by its activation script, as deploy-rs has it
  after_confirm,   ///< by a second script, once the activation is confirmed
};

/// By what means a target is reached.
enum class Transport { automatic, libssh2, openssh };

/// The values of a setting that is one of a few words, as plan file, flags and reports spell them,
/// in the order of the enum: "withActivation", "afterConfirm"; "auto", "libssh2", "openssh".
template <class Choice> std::span<const std::string_view> names_of();
template <> std::span<const std::string_view> names_of<BootDefault>();
template <> std::span<const std::string_view> names_of<Transport>();

std::string_view name_of(BootDefault when);
std::string_view name_of(Transport transport);

/// nullopt for a name that is none.
template <class Choice> std::optional<Choice> choice_from(std::string_view name) {
  const auto names = names_of<Choice>();
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? std::nullopt
                              : std::optional(static_cast<Choice>(found - names.begin()));
}

struct Settings {
  std::optional<std::string> ssh_user;
  std::optional<std::string> user;
  std::optional<std::vector<std::string>> ssh_opts; ///< replaces what lies below it
  std::vector<std::string> extra_ssh_opts;          ///< `extraSshOpts`: comes after what lies below
  std::optional<bool> fast_connection;
  std::optional<bool> auto_rollback;
  std::optional<bool> magic_rollback;
  std::optional<Seconds> confirm_timeout;    ///< u16 in deploy-rs: 0 to 65535
  std::optional<Seconds> activation_timeout; ///< likewise
  std::optional<BootDefault> boot_default;   ///< belay's own
  std::optional<std::string> temp_path;      ///< accepted, without effect: belay needs no canary
  std::optional<std::string> sudo;
  std::optional<bool> remote_build;
  std::optional<bool> interactive_sudo;
  std::optional<std::string> sudo_password_env;  ///< one of the two: who says one thing about the
  std::optional<std::string> sudo_password_file; ///< password replaces what lies below
  std::optional<Transport> transport;            ///< belay's own
  std::optional<bool> store_sudo;                ///< belay's own
};

/// `upper` laid over `lower`: what upper says wins, except extra_ssh_opts, which add up. A source
/// of sudo's password also replaces the other kind of source.
Settings over(const Settings& upper, const Settings& lower);

/// As `over`, but ssh_opts concatenate, upper's first: the rule between the levels of the flake.
/// ssh takes the first of two equal options, so the profile's wins.
Settings over_in_flake(const Settings& upper, const Settings& lower);

} // namespace belay::plan
