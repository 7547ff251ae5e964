// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/clock.h"

namespace belay::ssh {

/// A question after `interval` of silence; dead after `count` of them without any answer.
/// libssh2 counts in whole seconds and takes none below two.
struct KeepAlive {
  Duration interval = std::chrono::seconds(15);
  int count = 4;
};

} // namespace belay::ssh
