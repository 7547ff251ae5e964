// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/journal.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "tests/fuzz/fuzz_target.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <optional>

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

/// nullopt for a whole line that is no entry we know.
template <class Decode> auto unless_unknown(const Decode& decode) {
  std::optional<decltype(decode())> result;
  try {
    result = decode();
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::protocol, "no entry of ours: protocol");
    require(error.message().find('\n') == std::string::npos, "an error is one line");
  }
  return result;
}

std::optional<std::size_t> entries_of(std::string_view text) {
  return unless_unknown([&] { return agent::decode_journal(text).size(); });
}

void feed_line(const std::string& line) {
  const auto read = unless_unknown([&] { return agent::decode_entry(line); });
  if (!read)
    return require(!entries_of(line + "\n"), "whoever reads the journal is told");
  require(read->has_value(), "a whole line is not taken for a torn one");
  check(**read);
}

} // namespace

void feed(std::string_view text) {
  require(entries_of(text) == entries_of(text.substr(0, text.rfind('\n') + 1)),
          "what stands after the last line feed is no entry");
  for (const std::string& line : split(text, '\n'))
    feed_line(sealed(line));
}

} // namespace belay::fuzz
