// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/connector.h"

#include <algorithm>

namespace belay::ssh {

Duration ConnectAttempt::handshake_limit(Duration otherwise) const {
  if (purpose == Purpose::confirm)
    return std::min<Duration>(std::chrono::seconds(5), wait.left() / 3);
  return host.connect_timeout.value_or(otherwise);
}

} // namespace belay::ssh
