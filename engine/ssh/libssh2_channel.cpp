// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/libssh2_channel.h"

#include <array>

namespace belay::ssh {

std::size_t Libssh2Channel::read(char* buffer, std::size_t size, const Wait& wait) {
  for (;;) {
    if (const auto count = command_.try_read(buffer, size))
      return *count;
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
