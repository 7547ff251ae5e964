// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// SSH's way to write numbers and strings (RFC 4251, section 5), as far as keys and agents need it.

namespace belay::ssh {

std::string wire_number(std::uint32_t number);
std::string wire_string(std::string_view text); ///< its length first

/// Reads from the front. Throws Error{protocol} at a premature end.
class WireReader {
public:
  explicit WireReader(std::string_view text) : rest_(text) {}
  std::uint8_t byte();
  std::uint32_t number();
  std::string_view string();

private:
  std::string_view take(std::size_t size);
  std::string_view rest_;
};

} // namespace belay::ssh
