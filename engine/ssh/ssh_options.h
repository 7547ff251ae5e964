// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

// The options that a plan gives to ssh (`sshOpts`), taken apart as ssh itself does it, so that
// those can be left out that say what a connection is for (a forwarding, a terminal, a master of
// the user's own, where messages go): that is belay's affair.

namespace belay::ssh {

struct SshOption {
  char letter = 0;
  std::string value; ///< empty for a flag
};

/// Throws Error{invalid_plan} for a word that is no option: ssh would take it for the host.
std::vector<SshOption> parse_ssh_options(const std::vector<std::string>& words);

/// Those that say how to reach a host and to log in, as words for ssh again.
/// `proxy`: whether -J is among them.
enum class KeepProxy { yes, no };
std::vector<std::string> connection_options(const std::vector<SshOption>& options,
                                            KeepProxy keep_proxy);

/// What ssh hands on to the ssh of a jump host: the configuration file alone.
std::vector<std::string> hop_options(const std::vector<SshOption>& options);

} // namespace belay::ssh
