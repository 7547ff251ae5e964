// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/byte_queue.h"

#include <cstring>

namespace belay::ssh {

std::span<char> ByteQueue::room() {
  // Moved only when there is no room behind, which is rare: the queue mostly runs empty before.
  if (end_ == cap_ && begin_ > 0) {
    std::memmove(bytes_.get(), bytes_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return {bytes_.get() + end_, cap_ - end_};
}

void ByteQueue::drop(std::size_t count) {
  begin_ += count;
  if (begin_ == end_)
    clear();
}

} // namespace belay::ssh
