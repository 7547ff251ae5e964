// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"
#include "engine/ssh/transport.h"

namespace belay::ssh {

/// Why a program at the store tunnel met an early end: what the remote side's own end says, which
/// is more than that program can know. nix_missing (127: no nix-daemon there), unreachable (cut
/// off), copy_failed (the daemon's own failure). `end` must not have succeeded(). Pure; the caller
/// adds whom it is about.
Error store_failure(const ChannelEnd& end);

} // namespace belay::ssh
