// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/line_reader.h"

#include <array>
#include <cerrno>
#include <unistd.h>

namespace belay::agent {

std::optional<std::string> LineReader::next() {
  std::string line;
  for (;;) {
    const auto end = buffer_.find('\n');
    line += buffer_.substr(0, end);
    line.resize(std::min(line.size(), limit_));
    if (end != std::string::npos) {
      buffer_.erase(0, end + 1);
      return line;
    }
    buffer_.clear();
    std::array<char, 16384> chunk{};
    const ssize_t count = read(fd_, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      return std::nullopt;
    }
    buffer_.assign(chunk.data(), static_cast<std::size_t>(count));
  }
}

} // namespace belay::agent
