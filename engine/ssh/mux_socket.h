// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/cancel.h"
#include "engine/base/file.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// A client's end of OpenSSH's control socket, by the protocol that its PROTOCOL.mux describes
// (version 4, unchanged since 2010): packets with a length and a type; a new session gets its
// stdin, stdout and stderr as descriptors that are passed along. Speaking it here, instead of
// starting an `ssh -S` for each command, keeps what ssh itself says apart from what the command
// says, tells a command that exited with 255 from a connection that is gone, and leaves no process
// behind that somebody would have to end.

namespace belay::ssh {

struct MuxMessage {
  enum class Type : std::uint32_t {
    hello = 0x00000001,
    new_session = 0x10000002,
    alive_check = 0x10000004,
    terminate = 0x10000005,
    ok = 0x80000001,
    permission_denied = 0x80000002,
    failure = 0x80000003,
    exit_message = 0x80000004,
    alive = 0x80000005,
    session_opened = 0x80000006,
  };
  Type type{};
  std::uint32_t id = 0;    ///< of the request, or of the session that exited
  std::uint32_t value = 0; ///< of alive, exit_message and session_opened
  std::string reason;      ///< of failure and permission_denied
};

/// One thread at a time.
class MuxSocket {
public:
  /// Connects and exchanges greetings. Throws Error{unreachable} where no master answers,
  /// Error{protocol} where it speaks another version, Error{deadline_exceeded | cancelled}.
  MuxSocket(const std::string& path, const Wait& wait);

  /// A request of `type` with `body` after its id; then the descriptors, which stay ours. Throws
  /// Error{unreachable} where the master has gone or takes nothing.
  void send(MuxMessage::Type type, std::uint32_t id, std::string_view body = {},
            std::span<const int> descriptors = {});
  /// nullopt = nothing whole is there yet, or the master has gone: see ended().
  std::optional<MuxMessage> try_receive();
  /// Waits for it; `what` is for messages. Throws Error{unreachable} at the end,
  /// Error{deadline_exceeded | cancelled | protocol}.
  MuxMessage receive(const Wait& wait, const char* what);

  bool ended() const { return ended_; }
  int fd() const { return socket_.get(); }

private:
  void write_packet(std::string_view packet);
  void pass(int descriptor);
  bool fill();

  UniqueFd socket_;
  std::string received_;
  bool ended_ = false;
};

} // namespace belay::ssh
