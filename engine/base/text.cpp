// SPDX-License-Identifier: Apache-2.0
#include "engine/base/text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>

namespace belay {

namespace {

constexpr std::string_view blanks = " \t\n\r\f\v";

/// Length of the valid UTF-8 sequence at the start of `text`; 0 where there is none. Refuses
/// overlong forms, surrogates and what lies past U+10FFFF (RFC 3629).
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const unsigned char first = byte(0);
  if (first < 0x80) {
    return 1;
  }
  if (first >= 0xC2 && first <= 0xDF) {
    return continues(1) ? 2 : 0;
  }
  if (first >= 0xE0 && first <= 0xEF) {
    const bool legal =
        continues(1) && !(first == 0xE0 && byte(1) < 0xA0) && !(first == 0xED && byte(1) > 0x9F);
    return legal && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool legal =
        continues(1) && !(first == 0xF0 && byte(1) < 0x90) && !(first == 0xF4 && byte(1) > 0x8F);
    return legal && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

/// Where an escape sequence that starts at `start` (an ESC) ends, one past its last byte.
std::size_t escape_end(std::string_view text, std::size_t start) {
  std::size_t at = start + 1;
  if (at >= text.size()) {
    return at;
  }
  if (text[at] == '[') { // CSI: parameters, then one final byte @ to ~
    ++at;
    while (at < text.size() && (text[at] < '@' || text[at] > '~')) {
      if (text[at] < ' ') {
        return at; // broken off: what follows is text
      }
      ++at;
    }
    return std::min(at + 1, text.size());
  }
  if (text[at] == ']' || text[at] == 'P' || text[at] == '_' || text[at] == '^' || text[at] == 'X') {
    // OSC and other strings: up to BEL or ESC backslash; a line's end breaks them off
    for (++at; at < text.size() && text[at] != '\n'; ++at) {
      if (text[at] == '\a') {
        return at + 1;
      }
      if (text[at] == '\x1b' && at + 1 < text.size() && text[at + 1] == '\\') {
        return at + 2;
      }
    }
    return at;
  }
  while (at < text.size() && text[at] >= ' ' && text[at] <= '/') {
    ++at; // intermediate bytes
  }
  return std::min(at + 1, text.size());
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

} // namespace

std::string valid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const auto length = sequence_length(text);
    result += length == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return result;
}

std::size_t valid_utf8_size(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size()) {
    const auto length = sequence_length(text.substr(size));
    if (length == 0) {
      break;
    }
    size += length;
  }
  return size;
}

std::string strip_ansi(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '\x1b') {
      at = escape_end(text, at);
    } else {
      result += text[at++];
    }
  }
  return result;
}

bool is_plain_text(std::string_view text) {
  bool plain = true; // no early end: so the compiler looks at many characters at a time
  for (const char c : text) {
    plain &= (c >= ' ' && c < '\x7f') || c == '\n' || c == '\t';
  }
  return plain;
}

std::string clean_text(std::string_view text) {
  if (is_plain_text(text)) {
    return std::string(text);
  }
  const std::string readable = valid_utf8(strip_ansi(text));
  std::string result;
  result.reserve(readable.size());
  for (std::size_t at = 0; at < readable.size(); ++at) {
    const char c = readable[at];
    // U+0080 to U+009F are controls too; some terminals take U+009B for ESC [.
    if (c == '\xC2' && at + 1 < readable.size() &&
        static_cast<unsigned char>(readable[at + 1]) < 0xA0) {
      ++at;
    } else if (static_cast<unsigned char>(c) >= ' ' ? c != '\x7f' : c == '\t' || c == '\n') {
      result += c;
    }
  }
  return result;
}

bool is_one_line(std::string_view text) {
  bool plain = text.empty() || (text.front() != ' ' && text.back() != ' ');
  for (const char c : text) {
    plain &= c >= ' ' && c < '\x7f';
  }
  return plain;
}

std::string one_line(std::string_view text) {
  if (is_one_line(text)) {
    return std::string(text);
  }
  std::string result;
  for (const char c : clean_text(text)) {
    const bool breaks = c == '\n' || c == '\t';
    if (!breaks) {
      result += c;
    } else if (!result.empty() && result.back() != ' ') {
      result += ' ';
    }
  }
  return std::string(trim(result));
}

std::string_view tail(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) {
    return text;
  }
  const auto start = text.size() - bytes;
  const auto line = text.find('\n', start - 1);
  if (line != std::string_view::npos && line + 1 < text.size()) {
    return text.substr(line + 1);
  }
  auto result = text.substr(start);
  while (!result.empty() && (static_cast<unsigned char>(result[0]) & 0xC0) == 0x80) {
    result.remove_prefix(1);
  }
  return result;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(at + 1);
  }
}

std::vector<std::string> split_white_space(std::string_view text) {
  std::vector<std::string> parts;
  for (;;) {
    const auto start = text.find_first_not_of(blanks);
    if (start == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(start);
    const auto length = std::min(text.find_first_of(blanks), text.size());
    parts.emplace_back(text.substr(0, length));
    text.remove_prefix(length);
  }
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
  std::string result;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i != 0) {
      result += separator;
    }
    result += parts[i];
  }
  return result;
}

std::string_view trim(std::string_view text) {
  const auto start = text.find_first_not_of(blanks);
  if (start == std::string_view::npos) {
    return {};
  }
  return text.substr(start, text.find_last_not_of(blanks) - start + 1);
}

std::string shell_quote(std::string_view word) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
  if (!word.empty() && word.find_first_not_of(plain) == std::string_view::npos) {
    return std::string(word);
  }
  std::string result = "'";
  for (const char c : word) {
    result += c == '\'' ? std::string_view("'\\''") : std::string_view(&c, 1);
  }
  return result + "'";
}

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates) {
  const std::string* best = nullptr;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    const auto distance = edit_distance(word, candidate);
    if (distance < best_distance && distance < word.size()) {
      best = &candidate;
      best_distance = distance;
    }
  }
  return best == nullptr ? std::nullopt : std::optional(*best);
}

std::string format_duration(Duration duration) {
  const auto count = std::max<Duration::rep>(duration.count(), 0);
  std::array<char, 48> text{};
  if (count < 60'000) {
    std::snprintf(text.data(), text.size(), "%.1f s", static_cast<double>(count / 100) / 10.0);
  } else {
    std::snprintf(text.data(), text.size(), "%lld min %02lld s",
                  static_cast<long long>(count / 60'000),
                  static_cast<long long>(count / 1000 % 60));
  }
  return text.data();
}

std::string format_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> units = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, units.at(unit));
  return text.data();
}

} // namespace belay
