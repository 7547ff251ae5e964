// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/ssh/connection.h"
#include "engine/ssh/transport.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

// A command on a channel of its own, in steps that never wait: the channel that waits and the store
// tunnel that serves several at once are both made of it.

namespace belay::ssh {

/// Belongs to its connection's thread.
class RemoteCommand {
public:
  /// Opens a channel and starts `command`. Throws Error{transport_unsupported} where the server
  /// grants no further channel (MaxSessions), Error{protocol} where it refuses to run commands,
  /// and what Connection::call throws.
  RemoteCommand(std::shared_ptr<Connection> connection, const std::string& command,
                const Wait& wait);
  RemoteCommand(const RemoteCommand&) = delete;
  RemoteCommand& operator=(const RemoteCommand&) = delete;
  ~RemoteCommand();

  /// nullopt = nothing there (yet, or ever: look at the connection's lost()); 0 = end of stdout.
  /// Collects stderr on the way. The try_ steps throw Error{unreachable} on an SSH failure.
  std::optional<std::size_t> try_read(char* buffer, std::size_t size);
  /// How much of `text` was taken.
  std::size_t try_write(std::string_view text);
  bool try_send_eof();
  /// Whether the server has closed the channel; only after the end of stdout.
  bool try_closed();

  const std::string& stderr_tail() const { return stderr_tail_; }
  /// All that came, also what the tail has lost.
  std::uint64_t stderr_bytes() const { return stderr_bytes_; }
  /// What is known of its end by now. `clean` only after try_closed.
  ChannelEnd end() const;
  Connection& connection() { return *connection_; }

private:
  ssize_t read_stream(int stream, std::string& to);
  void collect_stderr();
  [[noreturn]] void fail(const char* what) const;

  std::shared_ptr<Connection> connection_;
  LIBSSH2_CHANNEL* channel_ = nullptr;
  std::string stdout_; ///< read, but not asked for yet
  std::size_t stdout_taken_ = 0;
  std::string stderr_tail_;
  std::uint64_t stderr_bytes_ = 0;
  bool closed_ = false;
};

} // namespace belay::ssh
