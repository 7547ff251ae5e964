// SPDX-License-Identifier: Apache-2.0
#include "engine/event/json_writer.h"

#include "engine/event/event_json.h"
#include "tests/catch.h"
#include "tests/unit/event/samples.h"

#include <limits>

using namespace belay;
using namespace belay::event;
using nlohmann::ordered_json;

namespace {

template <typename Value> std::string written(const Value& value) {
  JsonWriter out;
  out.value(value);
  return out.take();
}

std::string by_library(const ordered_json& value) {
  return value.dump();
}

} // namespace

TEST_CASE("every event is written as the library would write it") {
  for (const auto& payloads : {test::full_payloads(), test::empty_payloads()})
    for (const Payload& payload : payloads) {
      const std::string line = to_json_line(test::event_of(payload));
      CHECK(by_library(ordered_json::parse(line)) == line);
    }
}

TEST_CASE("each character is escaped as the library does it") {
  for (int code = 0; code < 0x80; ++code) {
    const std::string text = {'a', static_cast<char>(code), 'z'};
    CHECK(written(text) == by_library(text));
  }
  for (const std::string text : {"", "\"", "\\\"\n", "gen 1 → 2", "\xF0\x9F\x98\x80", "\xC2\x80"})
    CHECK(written(text) == by_library(text));
}

TEST_CASE("what is no UTF-8 is replaced, and never written") {
  CHECK(written("a\xFFz") == "\"a\xEF\xBF\xBDz\"");
  CHECK(written("cut \xE2\x86") == "\"cut \xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST_CASE("a duration has the digits that the library gives its seconds") {
  std::vector<std::int64_t> samples = {59999, 60000, 3600010, 86400100, 123456789012};
  for (std::int64_t milliseconds = 0; milliseconds <= 2100; ++milliseconds)
    samples.push_back(milliseconds);
  for (const auto milliseconds : samples)
    for (const auto signed_one : {milliseconds, -milliseconds})
      if (signed_one != 0 || milliseconds == 0)
        CHECK(written(Duration(signed_one)) ==
              by_library(static_cast<double>(signed_one) / 1000.0));
}

TEST_CASE("numbers, lists, dictionaries and what is not there") {
  CHECK(written(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
  CHECK(written(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
  CHECK(written(std::optional<int>()) == "null");
  CHECK(written(std::optional(true)) == "true");
  CHECK(written(std::vector<std::string>{}) == "[]");
  CHECK(written(std::vector<std::string>{"{", "["}) == R"(["{","["])");
  CHECK(written(std::map<std::string, std::string>{{"a", "{"}, {"b\n", ""}}) ==
        R"({"a":"{","b\n":""})");
}
