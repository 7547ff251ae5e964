// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"

#include "engine/ssh/byte_queue.h"

#include <algorithm>
#include <string>

using belay::ssh::ByteQueue;

namespace {

std::size_t put(ByteQueue& queue, std::string_view text) {
  const auto room = queue.room();
  const auto count = std::min(room.size(), text.size());
  std::copy_n(text.data(), count, room.data());
  queue.fill(count);
  return count;
}

} // namespace

TEST_CASE("a queue of bytes holds what came, in order, up to its cap") {
  ByteQueue queue(8);
  CHECK(queue.empty());
  CHECK(put(queue, "abcde") == 5);
  queue.drop(2);
  CHECK(queue.view() == "cde");
  CHECK(put(queue, "fgh") == 3);
  CHECK_FALSE(queue.full()); // two bytes have gone
  CHECK(put(queue, "ijk") == 2);
  CHECK(queue.full());
  CHECK(queue.room().empty());
  CHECK(queue.view() == "cdefghij");
  queue.clear();
  CHECK(queue.empty());
  CHECK(queue.room().size() == 8);
}

TEST_CASE("a queue that a slow writer empties loses nothing") {
  constexpr std::size_t total = 100'000;
  ByteQueue queue(1000);
  std::string in, out;
  for (std::size_t i = 0; i < total; ++i)
    in += static_cast<char>('a' + i % 23);
  for (std::size_t given = 0, step = 1; out.size() < total; ++step) {
    given += put(queue, std::string_view(in).substr(given, step * 7 % 400));
    const auto taken = std::min(queue.view().size(), step * 5 % 300);
    out += queue.view().substr(0, taken);
    queue.drop(taken);
  }
  CHECK(out == in);
}
