// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/settings.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// The one table of the generic settings: name, meaning, and which member of Settings holds it. The
// reader of the plan file, the reader of the flake's output, the JSON Schema and the merge all walk
// this table, so a key that is added here is added everywhere.

namespace belay::plan {

/// Whole numbers, both ends included.
struct Range {
  std::int64_t least = 0;
  std::int64_t most = 0;
};

/// deploy-rs keeps its timeouts in 16 bits without a sign.
inline constexpr Range timeout_range{0, 65535};

/// Where a generic setting may stand.
enum class SettingScope {
  flake_and_file, ///< one of deploy-rs's
  file_only,      ///< belay's own
};

struct SettingKey {
  using Member =
      std::variant<std::optional<bool> Settings::*, std::optional<Seconds> Settings::*,
                   std::optional<std::string> Settings::*, std::optional<BootDefault> Settings::*,
                   std::optional<Transport> Settings::*,
                   std::optional<std::vector<std::string>> Settings::*,
                   std::vector<std::string> Settings::*>;
  std::string_view name;
  Member member;
  std::string_view description;
  SettingScope scope = SettingScope::flake_and_file;
};

/// All of them, in the order in which documentation lists them.
std::span<const SettingKey> setting_keys();

} // namespace belay::plan
