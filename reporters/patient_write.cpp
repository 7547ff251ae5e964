// SPDX-License-Identifier: Apache-2.0
#include "reporters/patient_write.h"

#include "engine/base/error.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <pthread.h>
#include <unistd.h>

namespace belay::reporters {

namespace {

/// A pipe that polls as writable takes this much without blocking, even where the descriptor is in
/// blocking mode because others share it (output_target.h).
constexpr std::size_t safe_write = PIPE_BUF;

} // namespace

void block_sigpipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

bool write_waiting(int fd, std::string_view text, const Wait& wait) {
  while (!text.empty()) {
    if (wait_writable(fd, wait) != Ready::yes)
      return false;
    const ssize_t written = ::write(fd, text.data(), std::min(text.size(), safe_write));
    if (written < 0 && errno != EINTR && errno != EAGAIN)
      throw Error::from_errno("writing", errno);
    text.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
  }
  return true;
}

} // namespace belay::reporters
