// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

// Bytes on their way from a reader to a writer, who take turns: the reader fills the room that is
// left, the writer drops what he could hand on. Nothing is copied on the way and no byte is written
// that was not read, because a copy passes here a gigabyte at a time.

namespace belay::ssh {

class ByteQueue {
public:
  /// Never holds more than `cap` bytes.
  explicit ByteQueue(std::size_t cap)
      : cap_(cap), bytes_(std::make_unique_for_overwrite<char[]>(cap)) {}

  bool empty() const { return begin_ == end_; }
  bool full() const { return end_ - begin_ == cap_; }
  std::string_view view() const { return {bytes_.get() + begin_, end_ - begin_}; }

  /// Where the next bytes go; empty only when full. Valid until the next call of anything.
  std::span<char> room();
  /// The first `count` of the room hold something now.
  void fill(std::size_t count) { end_ += count; }
  /// The first `count` of the view are done with.
  void drop(std::size_t count);
  void clear() { begin_ = end_ = 0; }

private:
  std::size_t cap_;
  std::unique_ptr<char[]> bytes_;
  std::size_t begin_ = 0, end_ = 0;
};

} // namespace belay::ssh
