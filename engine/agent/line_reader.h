// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>

// Lines from a descriptor, with a cap. What comes after the last line feed is no line: whoever was
// writing it is gone, and half a request is none.

namespace belay::agent {

class LineReader {
public:
  LineReader(int fd, std::size_t limit) : fd_(fd), limit_(limit) {}
  /// Blocks. nullopt at end of file or after an error. A line over the limit is cut there: it
  /// cannot be a request any more, and is refused as such.
  std::optional<std::string> next();

private:
  int fd_;
  std::size_t limit_;
  std::string buffer_;
};

} // namespace belay::agent
