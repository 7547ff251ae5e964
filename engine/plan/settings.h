// SPDX-License-Identifier: Apache-2.0
#pragma once

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
/// As in the plan file: "withActivation", "afterConfirm".
std::string_view name_of(BootDefault when);
std::optional<BootDefault> boot_default_from(std::string_view name);

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
  std::optional<std::string> transport;          ///< a name of transport_names(); belay's own
};

/// By what means a target is reached.
enum class Transport { automatic, libssh2, openssh };

/// "auto", "libssh2", "openssh", in the order of the enum.
std::span<const std::string_view> transport_names();
std::string_view name_of(Transport transport);
/// Throws Error{internal} for a name that is none: whoever reads one from outside checks it.
Transport transport_named(std::string_view name);

/// `upper` laid over `lower`: what upper says wins, except extra_ssh_opts, which add up. A source
/// of sudo's password also replaces the other kind of source.
Settings over(const Settings& upper, const Settings& lower);

/// As `over`, but ssh_opts concatenate, upper's first: the rule between the levels of the flake.
/// ssh takes the first of two equal options, so the profile's wins.
Settings over_in_flake(const Settings& upper, const Settings& lower);

} // namespace belay::plan
