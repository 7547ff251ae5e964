// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/ssh/remote_command.h"

namespace belay::ssh {

/// The Channel of every transport: a RemoteCommand whose steps are waited for.
class CommandChannel final : public Channel {
public:
  explicit CommandChannel(std::unique_ptr<RemoteCommand> command) : command_(std::move(command)) {}

  std::optional<std::size_t> read_or_stderr(char* buffer, std::size_t size,
                                            std::uint64_t stderr_seen, const Wait& wait) override;
  void write(std::string_view text, const Wait& wait) override;
  void send_eof(const Wait& wait) override;
  std::string stderr_tail() const override { return command_->stderr_tail(); }
  std::uint64_t stderr_bytes() const override { return command_->stderr_bytes(); }
  ChannelEnd close(const Wait& wait) override;
  /// For who goes on in steps; this object is of no use any more.
  std::unique_ptr<RemoteCommand> release() { return std::move(command_); }

private:
  std::unique_ptr<RemoteCommand> command_;
};

} // namespace belay::ssh
