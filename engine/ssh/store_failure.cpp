// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/store_failure.h"

namespace belay::ssh {

Error store_failure(const ChannelEnd& end) {
  if (!end.clean)
    return {ErrorKind::unreachable, "the connection to the store " + end.describe()};
  if (end.exit_status == 127 || end.exit_status == 126)
    return {ErrorKind::nix_missing,
            "the target has no nix-daemon that this user can run, neither in PATH nor where NixOS "
            "and Nix's installer put it; install Nix there, or log in as a user who has it (" +
                end.describe() + ")"};
  return {ErrorKind::copy_failed, "the target's nix-daemon " + end.describe()};
}

} // namespace belay::ssh
