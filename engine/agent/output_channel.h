// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/protocol.h"

#include <mutex>

// serve's stdout, shared by the thread that replies and the one that tells: whole lines only.

namespace belay::agent {

class OutputChannel {
public:
  explicit OutputChannel(int fd) : fd_(fd) {}
  /// Any thread. False once the other side is gone; nothing is written any more then.
  bool send(const Message& message);

private:
  int fd_;
  std::mutex mutex_;
  bool broken_ = false;
};

} // namespace belay::agent
