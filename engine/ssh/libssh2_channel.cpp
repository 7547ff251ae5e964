// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/libssh2_channel.h"

#include <array>

namespace belay::ssh {

std::optional<std::size_t> Libssh2Channel::read_or_stderr(char* buffer, std::size_t size,
                                                          std::uint64_t stderr_seen,
                                                          const Wait& wait) {
  for (;;) {
    if (const auto count = command_.try_read(buffer, size))
      return count;
    if (command_.stderr_bytes() > stderr_seen)
      return std::nullopt;
    command_.connection().await(wait, "reading from a command");
  }
}

void Libssh2Channel::write(std::string_view text, const Wait& wait) {
  for (;;) {
    text.remove_prefix(command_.try_write(text));
    if (text.empty())
      return;
    command_.connection().await(wait, "writing to a command");
  }
}

void Libssh2Channel::send_eof(const Wait& wait) {
  while (!command_.try_send_eof())
    command_.connection().await(wait, "ending a command's input");
}

ChannelEnd Libssh2Channel::close(const Wait& wait) {
  try {
    send_eof(wait);
    std::array<char, 32 * 1024> discarded{};
    while (read(discarded.data(), discarded.size(), wait) > 0) {
    }
    while (!command_.try_closed())
      command_.connection().await(wait, "waiting for a command's end");
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unreachable)
      throw;
  }
  return command_.end();
}

} // namespace belay::ssh
