// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/ssh/ssh_config.h"

#include <filesystem>
#include <string>
#include <vector>

// The way to a host that is not reached directly. A jump host may have jump hosts of its own, and a
// connection to any of them may be one that the user's ssh keeps open: a confirmation that rode on
// such a connection would prove nothing. So the whole chain is taken from `ssh -G`, host by host,
// and written down as one script a hop, which makes a connection of its own. A ProxyCommand that
// the user wrote runs as it is; what lies behind it is not ours to know.

namespace belay::ssh {

struct Hop {
  std::string name; ///< as in ProxyJump
  Target target;
  ResolvedHost host;
};

struct Route {
  std::vector<Hop> hops;     ///< the nearest to us first
  std::string proxy_command; ///< the user's, before the first of them; empty = none

  /// "direct", "proxy-jump", "proxy-command".
  std::string path() const;
};

/// Follows ProxyJump from host to host. Throws Error{invalid_plan} for a circle, and as
/// SshConfig::resolve does.
Route find_route(SshConfig& config, const HostAddress& address, const ResolvedHost& host,
                 const Wait& wait);

/// What the scripts are made with.
struct HopSettings {
  std::string ssh_program;
  std::vector<std::string> options; ///< of hop_options()
  std::vector<std::string> limits;  ///< -o words for each hop
};

/// Writes one script a hop into `folder`; the ProxyCommand of the host behind the last of them,
/// empty where ssh needs none or knows it. Each hop's ssh writes its log into hop_log(), and what a
/// user's ProxyCommand says goes to proxy_log(): ssh itself would throw it away.
std::string write_route(const std::filesystem::path& folder, const Route& route,
                        const HopSettings& settings);

std::filesystem::path proxy_log(const std::filesystem::path& folder);
std::filesystem::path hop_log(const std::filesystem::path& folder, std::size_t hop);

} // namespace belay::ssh
