// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/journal.h"
#include "engine/base/text.h"
#include "tests/fuzz/fuzz_target.h"

#include <array>
#include <cstdint>
#include <cstdio>

// A journal as a crash, a bad disk or another release may leave it. Of a text that would never have
// the right checksum, each line is tried with it as well.

namespace belay::fuzz {

namespace {

/// FNV-1a, 64 bits: once more by itself, so that the form on the disk does not change unnoticed.
std::string sealed(const std::string& json) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char character : json)
    hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001b3U;
  std::array<char, 24> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx ", static_cast<unsigned long long>(hash));
  return digits.data() + json;
}

/// Without the one text that is shortened when it is written.
std::string text_of(agent::Entry entry) {
  entry.message.clear();
  return agent::encode_entry(entry);
}

void check(const agent::Entry& entry) {
  const std::string written = agent::encode_entry(entry);
  require(written.find('\n') == written.size() - 1, "an entry is one line");
  const std::string_view line = std::string_view(written).substr(0, written.size() - 1);
  const auto read = agent::decode_entry(line);
  require(read.has_value(), "an entry that was written is read");
  require(text_of(*read) == text_of(entry), "an entry is written and read as the same");
  for (std::size_t size = 0; size < line.size(); ++size)
    require(!agent::decode_entry(line.substr(0, size)), "a torn line is no entry");
}

} // namespace

void feed(std::string_view text) {
  const std::size_t entries = agent::decode_journal(text).size();
  require(agent::decode_journal(text.substr(0, text.rfind('\n') + 1)).size() == entries,
          "what stands after the last line feed is no entry");
  for (const std::string& line : split(text, '\n'))
    if (const auto entry = agent::decode_entry(sealed(line)))
      check(*entry);
}

} // namespace belay::fuzz
