// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/clock.h"

#include <memory>

// Every wait in belay has a deadline and can be cancelled. Both travel together as a Wait. A
// CancelSource is held by whoever may say "stop"; its tokens are handed down to whoever waits. A
// token is also a file descriptor that becomes readable when the source fires, so that a poll()
// over sockets and pipes notices a cancellation at once instead of at its next timeout.

namespace belay {

class CancelToken {
public:
  /// A token that never fires.
  CancelToken() = default;

  bool cancelled() const;
  /// Readable once cancelled; -1 for a token that never fires. Never read from it.
  int poll_fd() const;
  /// Throws Error{cancelled, "cancelled"} if the source has fired.
  void throw_if_cancelled() const;

private:
  friend class CancelSource;
  struct State;
  explicit CancelToken(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

/// All members may be called from any thread; cancel() is idempotent. Throws Error{system} when no
/// pipe can be made.
class CancelSource {
public:
  CancelSource();
  CancelToken token() const;
  void cancel();
  bool cancelled() const { return token().cancelled(); }

private:
  std::shared_ptr<CancelToken::State> state_;
};

/// How long to wait, and who may cut it short.
struct Wait {
  Instant deadline = Instant::max();
  CancelToken cancel;

  static Wait at_most(Duration duration, CancelToken cancel = {});
  /// The same cancel token and the earlier of both deadlines.
  Wait within(Duration duration) const;
  /// What is left, never negative, in the form that poll() wants (capped at one hour).
  int poll_milliseconds() const;
  Duration left() const;
  bool expired() const;
};

/// What ended a wait_readable / wait_writable.
enum class Ready { yes, deadline, cancelled };

/// Waits until `fd` is readable (or at end of file). EINTR is survived. Throws Error{system}.
Ready wait_readable(int fd, const Wait& wait);
Ready wait_writable(int fd, const Wait& wait);

/// As above; throws Error{deadline_exceeded} or Error{cancelled} where it is not ready, with
/// `what` ("reading from the agent") as the subject of the message.
void require_readable(int fd, const Wait& wait, const char* what);
void require_writable(int fd, const Wait& wait, const char* what);

} // namespace belay
