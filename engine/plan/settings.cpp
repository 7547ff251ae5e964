// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/settings.h"

#include "engine/base/error.h"
#include "engine/plan/setting_keys.h"

#include <algorithm>
#include <array>
#include <utility>

namespace belay::plan {
namespace {

constexpr std::array<std::pair<BootDefault, std::string_view>, 2> boot_default_names{{
    {BootDefault::with_activation, "withActivation"},
    {BootDefault::after_confirm, "afterConfirm"},
}};

template <class T>
void lay(const Settings& upper, Settings& result, std::optional<T> Settings::*member) {
  if (upper.*member) {
    result.*member = upper.*member;
  }
}

// Extra options are laid separately: they depend on sshOpts.
void lay(const Settings&, Settings&, std::vector<std::string> Settings::*) {}

std::vector<std::string> joined(std::vector<std::string> first,
                                const std::vector<std::string>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

} // namespace

std::string_view name_of(BootDefault when) {
  for (const auto& [value, name] : boot_default_names) {
    if (value == when) {
      return name;
    }
  }
  return "";
}

std::optional<BootDefault> boot_default_from(std::string_view name) {
  for (const auto& [value, known] : boot_default_names) {
    if (known == name) {
      return value;
    }
  }
  return std::nullopt;
}

std::span<const std::string_view> transport_names() {
  static constexpr std::array<std::string_view, 3> names{"auto", "libssh2", "openssh"};
  return names;
}

std::string_view name_of(Transport transport) {
  return transport_names()[static_cast<std::size_t>(transport)];
}

Transport transport_named(std::string_view name) {
  const auto names = transport_names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    throw Error(ErrorKind::internal, "there is no transport " + std::string(name));
  }
  return static_cast<Transport>(found - names.begin());
}

Settings over(const Settings& upper, const Settings& lower) {
  Settings result = lower;
  for (const SettingKey& key : setting_keys()) {
    std::visit([&](auto member) { lay(upper, result, member); }, key.member);
  }
  // Who replaces sshOpts replaces the whole list that the levels below had made. Of several extras
  // the upper level's come first, because ssh obeys the first of two equal options.
  result.extra_ssh_opts =
      upper.ssh_opts ? upper.extra_ssh_opts : joined(upper.extra_ssh_opts, lower.extra_ssh_opts);
  if (upper.sudo_password_env || upper.sudo_password_file) {
    result.sudo_password_env = upper.sudo_password_env;
    result.sudo_password_file = upper.sudo_password_file;
  }
  return result;
}

Settings over_in_flake(const Settings& upper, const Settings& lower) {
  Settings result = over(upper, lower);
  if (upper.ssh_opts && lower.ssh_opts) {
    result.ssh_opts = joined(*upper.ssh_opts, *lower.ssh_opts);
  }
  result.extra_ssh_opts = joined(upper.extra_ssh_opts, lower.extra_ssh_opts);
  return result;
}

} // namespace belay::plan
