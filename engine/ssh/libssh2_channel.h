// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/ssh/remote_command.h"

namespace belay::ssh {

/// The Channel of the in-process transport: a RemoteCommand whose steps are waited for.
class Libssh2Channel final : public Channel {
public:
  Libssh2Channel(std::shared_ptr<Connection> connection, const std::string& command,
                 const Wait& wait)
      : command_(std::move(connection), command, wait) {}

  std::optional<std::size_t> read_or_stderr(char* buffer, std::size_t size,
                                            std::uint64_t stderr_seen, const Wait& wait) override;
  void write(std::string_view text, const Wait& wait) override;
  void send_eof(const Wait& wait) override;
  std::string stderr_tail() const override { return command_.stderr_tail(); }
  std::uint64_t stderr_bytes() const override { return command_.stderr_bytes(); }
  ChannelEnd close(const Wait& wait) override;

private:
  RemoteCommand command_;
};

} // namespace belay::ssh
