// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/file.h"
#include "engine/base/process.h"

#include <cerrno>
#include <csignal>
#include <sys/types.h>
#include <sys/wait.h>

// The beginning and the end of one child, private to process.cpp: fork, exec, its process group,
// its three pipes, and the guarantee that it is not left behind.

namespace belay {

/// Throws Error{system} where the program cannot be started; the reason comes back through a pipe.
class Child {
public:
  explicit Child(const ProcessSpec& spec);
  ~Child() {
    if (pid_ > 0) { // an exception passes: leave no child behind
      kill(-pid_, SIGKILL);
      reap(0);
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void signal_group(int number) const { kill(-pid_, number); }
  bool exited() { return pid_ <= 0 || reap(WNOHANG); }
  int wait_status() const { return wait_status_; }
  UniqueFd in, out, err;

private:
  bool reap(int flags) {
    pid_t got = -1;
    do {
      got = waitpid(pid_, &wait_status_, flags);
    } while (got < 0 && errno == EINTR);
    if (got == 0) {
      return false;
    }
    if (got < 0) {
      wait_status_ = unknown_status; // somebody else took it: never taken for a success
    }
    pid_ = -1;
    return true;
  }

  static constexpr int unknown_status = 255 << 8; ///< as of "exited with 255"
  pid_t pid_ = -1;
  int wait_status_ = 0;
};

} // namespace belay
