// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/output_channel.h"

#include "engine/base/error.h"
#include "engine/base/file.h"

namespace belay::agent {

bool OutputChannel::send(const Message& message) {
  const auto line = encode(message);
  const std::lock_guard lock(mutex_);
  if (!broken_) {
    try {
      write_all(fd_, line);
    } catch (const Error&) {
      broken_ = true;
    }
  }
  return !broken_;
}

} // namespace belay::agent
