// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/store_path.h"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// The command line with which deploy-rs's `deploy` calls a closure's activate-rs, as of 2023-11 and
// later:
//
//   [-d] [--log-dir DIR] activate CLOSURE PROFILE --temp-path DIR --confirm-timeout S
//                        [--magic-rollback] [--auto-rollback] [--dry-activate] [--boot]
//   [-d] [--log-dir DIR] wait CLOSURE --temp-path DIR [--activation-timeout S]
//   [-d] [--log-dir DIR] revoke PROFILE
//
// where PROFILE is --profile-path PATH or --profile-user USER --profile-name NAME.

namespace belay::agent {

struct ActivateRsProfile {
  std::optional<std::string> path;
  std::string user, name; ///< where there is no path
};

struct ActivateRsActivate {
  StorePath closure;
  ActivateRsProfile profile;
  std::filesystem::path temp_path;
  std::chrono::seconds confirm_timeout{};
  bool magic_rollback = false;
  bool auto_rollback = false;
  bool dry_activate = false;
  bool boot = false;
};

struct ActivateRsWait {
  StorePath closure;
  std::filesystem::path temp_path;
  std::chrono::seconds activation_timeout{240}; ///< deploy-rs's default
};

struct ActivateRsRevoke {
  ActivateRsProfile profile;
};

using ActivateRsCommand = std::variant<ActivateRsActivate, ActivateRsWait, ActivateRsRevoke>;

/// Without the program's name. Throws Error{usage}.
ActivateRsCommand parse_activate_rs(const std::vector<std::string>& words);

} // namespace belay::agent
