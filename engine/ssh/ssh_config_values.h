// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/ssh/ssh_config.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

// The keys of ssh_config that the in-process session understands, one by one, and those that make
// no difference to a deploy.

namespace belay::ssh {

using SshConfigKeys = std::map<std::string, std::vector<std::string>>; ///< lower-case key -> values

/// How a key that differs from the default is to be taken.
enum class KeyMeaning {
  supported,   ///< read_ssh_config_key knows it
  harmless,    ///< changes nothing that a deploy sees
  other_login, ///< one more way to log in, tried by the ssh program alone
  unsupported, ///< needs the ssh program
};
KeyMeaning meaning_of(const std::string& key, const std::string& value);

/// Takes one key over; unknown keys are ignored. Throws Error{invalid_plan} for a value that
/// makes no sense.
void read_ssh_config_key(const std::string& key, const std::vector<std::string>& values,
                         ResolvedHost& host);

/// The home folder from the user database, as ssh takes it: not $HOME.
std::string home_directory();
/// "~/x" and "~" by home_directory(); everything else as it is.
std::string expand_tilde(std::string_view path);

/// ssh's own defaults for what `ssh -G` would have said.
void fill_defaults(ResolvedHost& host);

} // namespace belay::ssh
