// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/ssh/transport.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <poll.h>
#include <string>
#include <string_view>
#include <vector>

// What a transport has to bring. A RemoteLink is a logged-in connection; the RemoteCommands that it
// starts go in steps that never wait. The channel that waits (command_channel) and the store tunnel
// that serves several commands at once (store_tunnel) are both made of these steps, once for all
// transports.

namespace belay::ssh {

/// What somebody waits for on a command.
struct Interest {
  bool output = false; ///< that try_read or try_closed says more
  bool input = false;  ///< that try_write takes more
};

/// A command on a channel of its own. Belongs to its link's thread. Its link lives at least as long
/// by itself.
class RemoteCommand {
public:
  virtual ~RemoteCommand() = default;

  /// nullopt = nothing there (yet, or ever: look at the link's lost()); 0 = end of stdout.
  /// Collects stderr on the way. The try_ steps throw Error{unreachable} on an SSH failure.
  virtual std::optional<std::size_t> try_read(char* buffer, std::size_t size) = 0;
  /// How much of `text` was taken.
  virtual std::size_t try_write(std::string_view text) = 0;
  virtual bool try_send_eof() = 0;
  /// Whether the server has closed the channel; only after the end of stdout.
  virtual bool try_closed() = 0;

  /// Waits until a step may get further. Throws Error{deadline_exceeded | cancelled} with `what` in
  /// it, Error{unreachable} when the connection is lost.
  virtual void await(const Interest& interest, const Wait& wait, const char* what) = 0;
  /// For whoever polls by himself: whether a step may get further already, without that any
  /// descriptor says so.
  virtual bool unseen(const Interest&) const { return false; }
  /// The descriptors of this command alone, if it has any.
  virtual void add_polls(const Interest& interest, std::vector<pollfd>& fds) const = 0;

  virtual const std::string& stderr_tail() const = 0;
  /// All that came, also what the tail has lost.
  virtual std::uint64_t stderr_bytes() const = 0;
  /// What is known of its end by now. `clean` only after try_closed.
  virtual ChannelEnd end() const = 0;
};

/// One thread at a time.
class RemoteLink {
public:
  virtual ~RemoteLink() = default;

  /// Starts `command`. Throws Error{transport_unsupported} where the server grants no further
  /// channel (MaxSessions), Error{protocol} where it refuses to run commands,
  /// Error{unreachable | deadline_exceeded | cancelled}.
  virtual std::unique_ptr<RemoteCommand> start(const std::string& command, const Wait& wait) = 0;

  virtual bool lost() const = 0;
  virtual const std::string& loss() const = 0; ///< why; empty = not lost
  /// Throws Error{unreachable} when lost.
  virtual void throw_if_lost() const = 0;

  /// For whoever polls by himself: what to poll beside the commands, until when, and what to do
  /// afterwards. `reads`: some command's output is waited for.
  virtual void add_polls(bool reads, std::vector<pollfd>& fds) const = 0;
  virtual Instant next_beat() const = 0;
  /// Does not throw: see lost().
  virtual void polled(bool reads) = 0;
};

/// The end of a command's stderr.
class StderrTail {
public:
  void add(std::string_view text);
  const std::string& text() const { return text_; }
  std::uint64_t bytes() const { return bytes_; } ///< all that came

private:
  std::string text_;
  std::uint64_t bytes_ = 0;
};

} // namespace belay::ssh
