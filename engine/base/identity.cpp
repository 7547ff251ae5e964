// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <unistd.h>

namespace belay {

namespace {

constexpr std::string_view form = "0000-00-00T00:00:00.000Z";

/// The last `digits` of `number` at `at`. Every event has a time: snprintf took ten times as long.
void put_digits(std::string& text, std::size_t at, std::size_t digits, long number) {
  for (std::size_t i = at + digits; i-- > at; number /= 10) {
    text[i] = static_cast<char>('0' + number % 10);
  }
}

} // namespace

std::string format_time(WallTime time) {
  constexpr WallTime first = std::chrono::sys_days(std::chrono::year(0) / 1 / 1);
  constexpr WallTime end = std::chrono::sys_days(std::chrono::year(10'000) / 1 / 1);
  time = std::clamp(time, first, end - std::chrono::milliseconds(1)); // the form has no more
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::string text(form);
  put_digits(text, 0, 4, static_cast<int>(date.year()));
  put_digits(text, 5, 2, static_cast<long>(static_cast<unsigned>(date.month())));
  put_digits(text, 8, 2, static_cast<long>(static_cast<unsigned>(date.day())));
  put_digits(text, 11, 2, clock.hours().count());
  put_digits(text, 14, 2, clock.minutes().count());
  put_digits(text, 17, 2, clock.seconds().count());
  put_digits(text, 20, 3, clock.subseconds().count());
  return text;
}

std::optional<WallTime> parse_time(std::string_view text) {
  if (text.size() != form.size()) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < form.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (form[i] == '0' ? !digit : text[i] != form[i]) {
      return std::nullopt;
    }
  }
  const auto number = [&](std::size_t at, std::size_t length) {
    int value = 0;
    for (std::size_t i = at; i < at + length; ++i) {
      value = value * 10 + (text[i] - '0');
    }
    return value;
  };
  const std::chrono::year_month_day date(std::chrono::year(number(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(number(8, 2))));
  if (!date.ok() || number(11, 2) > 23 || number(14, 2) > 59 || number(17, 2) > 60) {
    return std::nullopt;
  }
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(number(11, 2)) +
         std::chrono::minutes(number(14, 2)) + std::chrono::seconds(number(17, 2)) +
         std::chrono::milliseconds(number(20, 3));
}

namespace {

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    result += digits[byte >> 4U];
    result += digits[byte & 15U];
  }
  return result;
}

std::string random_bytes(std::size_t count) {
  const UniqueFd source(open("/dev/urandom", O_RDONLY | O_CLOEXEC));
  std::string bytes(count, '\0');
  for (std::size_t have = 0; have < count;) {
    const ssize_t got = read(source.get(), bytes.data() + have, count - have);
    if (got <= 0 && errno != EINTR) {
      throw Error::from_errno("cannot read random bytes", errno);
    }
    have += got > 0 ? static_cast<std::size_t>(got) : 0;
  }
  return bytes;
}

} // namespace

std::string random_hex(std::size_t bytes) {
  return to_hex(random_bytes(bytes));
}

std::string make_uuid_v7(WallTime now) {
  auto bytes = random_bytes(16);
  auto stamp = static_cast<std::uint64_t>(now.time_since_epoch().count());
  for (std::size_t i = 6; i-- > 0; stamp >>= 8U) {
    bytes[i] = static_cast<char>(stamp & 0xFFU);
  }
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x70); // version 7
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80); // the RFC's variant
  auto text = to_hex(bytes);
  for (const std::size_t at : {20U, 16U, 12U, 8U}) {
    text.insert(at, 1, '-');
  }
  return text;
}

} // namespace belay
