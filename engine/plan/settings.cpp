// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/settings.h"

#include "engine/plan/setting_keys.h"

#include <array>

namespace belay::plan {
namespace {

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

template <> std::span<const std::string_view> names_of<BootDefault>() {
  static constexpr std::array<std::string_view, 2> names{"withActivation", "afterConfirm"};
  return names;
}

template <> std::span<const std::string_view> names_of<Transport>() {
  static constexpr std::array<std::string_view, 3> names{"auto", "libssh2", "openssh"};
  return names;
}

std::string_view name_of(BootDefault when) {
  return names_of<BootDefault>()[static_cast<std::size_t>(when)];
}

std::string_view name_of(Transport transport) {
  return names_of<Transport>()[static_cast<std::size_t>(transport)];
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
