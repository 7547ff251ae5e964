// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/cancel.h"
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/ssh/keep_alive.h"

#include <libssh2.h>

#include <cstddef>
#include <string>
#include <sys/types.h>
#include <vector>

// One TCP connection with libssh2's state machine on top. libssh2 must never meet a full socket: it
// would then insist that the half-sent packet be finished before anything else is sent, which no
// program with several channels can promise. So what it sends goes into an outbox of ours, always,
// and the outbox goes to the socket as that takes it; whoever has bulk to send looks at congested()
// first. What libssh2 still waits for is only ever something from the other side. A call that
// would block is repeated by call() until the socket, the deadline, the cancel token or the
// keep-alive says otherwise.

namespace belay::ssh {

/// One thread at a time. Once the connection is lost, everything throws Error{unreachable}.
class Connection {
public:
  /// `who` starts every message: "web-1 (deploy@10.0.0.1:22)".
  Connection(UniqueFd socket, std::string who, KeepAlive keep_alive);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  LIBSSH2_SESSION* raw() { return session_; }
  const std::string& who() const { return who_; }

  /// Repeats `step`, which returns one of libssh2's codes, while that is LIBSSH2_ERROR_EAGAIN.
  /// Throws Error{deadline_exceeded | cancelled} with `what` in it, Error{unreachable} when lost.
  template <class Step> auto call(Step step, const Wait& wait, const char* what) {
    for (;;) {
      throw_if_lost();
      const auto seen = intake_;
      const auto code = step();
      flush();
      throw_if_lost();
      if (code != LIBSSH2_ERROR_EAGAIN)
        return code;
      await(seen, wait, what);
    }
  }

  /// Waits until something may have changed since intake() was `seen`.
  void await(std::uint64_t seen, const Wait& wait, const char* what);

  /// Whoever polls by himself: what to poll the socket for, until when, and what to do afterwards.
  int fd() const { return socket_.get(); }
  /// `reads`: somebody will read a channel once the socket is readable; else read_ahead() is to be
  /// called.
  short poll_events(bool reads) const;
  Instant next_beat() const { return next_beat_; }
  /// Sends what can be sent, also a keep-alive where one is due. Does not throw: see lost().
  void tick();
  /// Reads ahead, so that an answer is noticed while no channel is being read.
  void read_ahead();

  /// Grows with every byte that is taken from the socket, and again when libssh2 takes one that was
  /// read ahead. What libssh2 takes is sorted whenever it is called for any channel, and it may
  /// leave some of what was read ahead: whoever found nothing for himself and sees this grow since
  /// before he looked has to look again before he waits, for no poll will tell him.
  std::uint64_t intake() const { return intake_; }

  /// More than a bulk writer should leave unsent.
  bool congested() const { return outbox_.size() - sent_ > 512 * 1024; }

  bool lost() const { return !loss_.empty(); }
  const std::string& loss() const { return loss_; } ///< why; empty = not lost
  void throw_if_lost() const;
  /// "…: libssh2's last message".
  std::string last_message() const;
  int last_code() const { return libssh2_session_last_errno(session_); }

  /// What the server said first, in clear: its version and its methods (at most 16 KiB).
  const std::string& greeting() const { return greeting_; }

  /// Keep-alives are an affair of logged-in sessions.
  void start_keep_alive();

  /// Channels whose close the other side has not acknowledged yet; freed when it has.
  void bury(LIBSSH2_CHANNEL* channel) { buried_.push_back(channel); }
  void reap();
  std::size_t buried() const { return buried_.size(); }
  /// When a channel was last given back; sshd takes note of that with a little delay.
  Instant channel_left() const { return channel_left_; }
  void note_channel_left() { channel_left_ = BootClock::now(); }

private:
  static ssize_t send_hook(libssh2_socket_t, const void* data, size_t size, int, void** self);
  static ssize_t receive_hook(libssh2_socket_t, void* buffer, size_t size, int, void** self);
  static void disconnect_hook(LIBSSH2_SESSION*, int, const char* message, int size, const char*,
                              int, void** self);
  ssize_t receive(char* buffer, std::size_t size);
  void heard();
  void flush();
  void beat();
  void lose(std::string why);

  UniqueFd socket_;
  std::string who_;
  KeepAlive keep_alive_;
  LIBSSH2_SESSION* session_ = nullptr;
  std::string outbox_;
  std::size_t sent_ = 0; ///< of the outbox
  std::string inbox_;    ///< read ahead
  std::string greeting_;
  std::string loss_;
  bool closing_ = false;
  Instant next_beat_ = Instant::max();
  int unanswered_ = 0;
  std::uint64_t intake_ = 0;
  std::vector<LIBSSH2_CHANNEL*> buried_;
  Instant channel_left_ = Instant::min();
};

} // namespace belay::ssh
