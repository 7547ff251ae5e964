// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/command_channel.h"

#include "engine/base/error.h"

#include <array>

namespace belay::ssh {

std::optional<std::size_t> CommandChannel::read_or_stderr(char* buffer, std::size_t size,
                                                          std::uint64_t stderr_seen,
                                                          const Wait& wait) {
  for (;;) {
    if (const auto count = command_->try_read(buffer, size))
      return count;
    if (command_->stderr_bytes() > stderr_seen)
      return std::nullopt;
    command_->await({.output = true}, wait, "reading from a command");
  }
}

void CommandChannel::write(std::string_view text, const Wait& wait) {
  for (;;) {
    text.remove_prefix(command_->try_write(text));
    if (text.empty())
      return;
    command_->await({.input = true}, wait, "writing to a command");
  }
}

void CommandChannel::send_eof(const Wait& wait) {
  while (!command_->try_send_eof())
    command_->await({.input = true}, wait, "ending a command's input");
}

ChannelEnd CommandChannel::close(const Wait& wait) {
  try {
    send_eof(wait);
    std::array<char, 32 * 1024> discarded{};
    while (read(discarded.data(), discarded.size(), wait) > 0) {
    }
    while (!command_->try_closed())
      command_->await({.output = true}, wait, "waiting for a command's end");
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unreachable)
      throw;
  }
  return command_->end();
}

} // namespace belay::ssh
