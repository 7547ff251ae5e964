// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/transport.h"

#include "engine/base/text.h"

#include <limits>

namespace belay::ssh {

std::string ChannelEnd::describe() const {
  std::string text;
  if (exit_signal == unknown_signal)
    text = "was killed by a signal";
  else if (!exit_signal.empty())
    text = "was killed by SIG" + exit_signal;
  else if (!clean)
    text = "was cut off";
  else if (exit_status)
    text = "exited with " + std::to_string(*exit_status);
  else
    text = "ended without a status";
  const auto last = one_line(trim(stderr_tail));
  return last.empty() ? text : text + ": " + last;
}

std::size_t Channel::read(char* buffer, std::size_t size, const Wait& wait) {
  constexpr auto whatever_stderr_says = std::numeric_limits<std::uint64_t>::max();
  const auto count = read_or_stderr(buffer, size, whatever_stderr_says, wait);
  return count.value_or(0);
}

} // namespace belay::ssh
