// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/wire.h"

#include "engine/base/error.h"

namespace belay::ssh {

std::string wire_number(std::uint32_t number) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8)
    text += static_cast<char>(number >> shift & 0xffU);
  return text;
}

std::string wire_string(std::string_view text) {
  return wire_number(static_cast<std::uint32_t>(text.size())) + std::string(text);
}

std::string_view WireReader::take(std::size_t size) {
  if (size > rest_.size())
    throw Error(ErrorKind::protocol, "an SSH message ends too early");
  const auto taken = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return taken;
}

std::uint8_t WireReader::byte() {
  return static_cast<std::uint8_t>(take(1).front());
}

std::uint32_t WireReader::number() {
  std::uint32_t number = 0;
  for (const char c : take(4))
    number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

std::string_view WireReader::string() {
  return take(number());
}

} // namespace belay::ssh
