// SPDX-License-Identifier: Apache-2.0
#include "engine/base/cancel.h"

#include "engine/base/error.h"
#include "engine/base/file.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <poll.h>
#include <string>
#include <unistd.h>

namespace belay {

struct CancelToken::State {
  std::atomic<bool> fired{false};
  UniqueFd read_end;
  UniqueFd write_end;
};

CancelToken::CancelToken(std::shared_ptr<State> state) : state_(std::move(state)) {}

bool CancelToken::cancelled() const {
  return state_ && state_->fired.load();
}

int CancelToken::poll_fd() const {
  return state_ ? state_->read_end.get() : -1;
}

void CancelToken::throw_if_cancelled() const {
  if (cancelled()) {
    throw Error(ErrorKind::cancelled, "cancelled");
  }
}

CancelSource::CancelSource() : state_(std::make_shared<CancelToken::State>()) {
  auto [read_end, write_end] = make_pipe();
  state_->read_end = std::move(read_end);
  state_->write_end = std::move(write_end);
}

CancelToken CancelSource::token() const {
  return CancelToken(state_);
}

void CancelSource::cancel() {
  if (!state_->fired.exchange(true)) {
    // Closing the write end makes every poll on the read end return, for ever.
    state_->write_end.reset();
  }
}

Wait Wait::at_most(Duration duration, CancelToken cancel) {
  return Wait{BootClock::now() + duration, std::move(cancel)};
}

Wait Wait::within(Duration duration) const {
  return Wait{std::min(deadline, BootClock::now() + duration), cancel};
}

Duration Wait::left() const {
  const auto now = BootClock::now();
  return deadline <= now ? Duration::zero() : deadline - now;
}

bool Wait::expired() const {
  return left() == Duration::zero();
}

int Wait::poll_milliseconds() const {
  constexpr Duration longest = std::chrono::hours(1);
  return static_cast<int>(std::min(left(), longest).count());
}

namespace {

Ready wait_for(int fd, short events, const Wait& wait) {
  for (;;) {
    if (wait.cancel.cancelled()) {
      return Ready::cancelled;
    }
    pollfd fds[2] = {{fd, events, 0}, {wait.cancel.poll_fd(), POLLIN, 0}};
    const int count = poll(fds, 2, wait.poll_milliseconds());
    if (count < 0 && errno != EINTR) {
      throw Error::from_errno("poll", errno);
    }
    if (count > 0 && fds[1].revents != 0) {
      return Ready::cancelled;
    }
    if (count > 0 && fds[0].revents != 0) {
      return Ready::yes;
    }
    if (wait.expired()) {
      return Ready::deadline;
    }
  }
}

void require(Ready ready, const char* what) {
  if (ready == Ready::cancelled) {
    throw Error(ErrorKind::cancelled, std::string(what) + ": cancelled");
  }
  if (ready == Ready::deadline) {
    throw Error(ErrorKind::deadline_exceeded, std::string(what) + ": timed out");
  }
}

} // namespace

Ready wait_readable(int fd, const Wait& wait) {
  return wait_for(fd, POLLIN, wait);
}
Ready wait_writable(int fd, const Wait& wait) {
  return wait_for(fd, POLLOUT, wait);
}

void require_readable(int fd, const Wait& wait, const char* what) {
  require(wait_readable(fd, wait), what);
}
void require_writable(int fd, const Wait& wait, const char* what) {
  require(wait_writable(fd, wait), what);
}

} // namespace belay
