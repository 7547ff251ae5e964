// SPDX-License-Identifier: Apache-2.0
#include "engine/base/text.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tests/catch.h"

#include <set>

using namespace belay;

TEST_CASE("text from outside becomes showable") {
  CHECK(valid_utf8("a\xC3\xA9\xF0\x9F\x98\x80") == "a\xC3\xA9\xF0\x9F\x98\x80");
  CHECK(valid_utf8("\xFF\xC0\x80\xED\xA0\x80") ==
        "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(strip_ansi("\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x1b\\link\x1b]8;;\a \x1b(Bend") ==
        "red link end");
  CHECK(clean_text(std::string_view("a\r\nb\x00\x07\tc\xC2\x9B"
                                    "31m\x7f",
                                    13)) == "a\nb\tc31m");
  CHECK(one_line("  two\n\n\tlines \n") == "two lines");
}

TEST_CASE("an escape sequence that never ends eats no more than its line") {
  CHECK(strip_ansi("a\x1b]0;title\nb") == "a\nb");
  CHECK(strip_ansi("a\x1b") == "a");
  CHECK(strip_ansi("a\x1b[") == "a");
  CHECK(strip_ansi("a\x1b[12\nb") == "a\nb");
}

TEST_CASE("the tail is cut at a line, else at a code point") {
  CHECK(tail("one\ntwo\nthree", 9) == "two\nthree");
  CHECK(tail("one\ntwo\nthree", 8) == "three");
  CHECK(tail("\xC3\xA9\xC3\xA9", 3) == "\xC3\xA9");
  CHECK(tail("short", 100) == "short");
}

TEST_CASE("words are split, joined and quoted") {
  CHECK(split("a,,b", ',') == std::vector<std::string>{"a", "", "b"});
  CHECK(split_white_space("  a \t b\n") == std::vector<std::string>{"a", "b"});
  CHECK(shell_quote("a-b/c.d") == "a-b/c.d");
  CHECK(shell_quote("it's $x") == "'it'\\''s $x'");
  CHECK(shell_quote("") == "''");
}

TEST_CASE("did you mean") {
  const std::vector<std::string> keys = {"parallel", "profiles", "limits"};
  CHECK(nearest("paralel", keys) == "parallel");
  CHECK(nearest("limit", keys) == "limits");
  CHECK_FALSE(nearest("zebra", keys));
  CHECK_FALSE(nearest("", keys));
}

TEST_CASE("quantities") {
  CHECK(format_duration(std::chrono::milliseconds(1250)) == "1.2 s");
  CHECK(format_duration(std::chrono::milliseconds(59'999)) == "59.9 s");
  CHECK(format_duration(std::chrono::seconds(125)) == "2 min 05 s");
  CHECK(format_bytes(512) == "512 B");
  CHECK(format_bytes(12'897'485) == "12.3 MiB");
}

TEST_CASE("times go to text and back") {
  const auto time = parse_time("2026-11-22T09:28:36.123Z");
  REQUIRE(time);
  CHECK(format_time(*time) == "2026-11-22T09:28:36.123Z");
  for (const char* text :
       {"1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00.000Z", "2000-02-29T12:34:56.007Z",
        "0000-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"})
    CHECK(format_time(parse_time(text).value()) == text);
  CHECK(format_time(WallTime::max()) == "9999-12-31T23:59:59.999Z");
  CHECK(format_time(WallTime::min()) == "0000-01-01T00:00:00.000Z");
  CHECK_FALSE(parse_time("2026-02-30T00:00:00.000Z"));
  CHECK_FALSE(parse_time("2026-11-22 09:28:36"));
}

TEST_CASE("run ids are version 7, unique and sorted by time") {
  const auto time = *parse_time("2026-11-22T09:28:36.123Z");
  const auto id = make_uuid_v7(time);
  CHECK(id.size() == 36);
  CHECK(id[14] == '7');
  CHECK(id < make_uuid_v7(time + std::chrono::milliseconds(1)));
  CHECK(id != make_uuid_v7(time));
}

TEST_CASE("a file is replaced whole, and a failure leaves nothing behind") {
  const TemporaryDirectory folder("/tmp/belay-test-");
  const auto path = folder.path() / "made" / "report.xml";
  replace_file(path, "first");
  replace_file(path, "second", {.mode = 0600, .sync = true});
  CHECK(read_file(path, 100) == "second");
  CHECK_THROWS_AS(read_file(path, 3), Error);
  std::filesystem::create_directory(folder.path() / "taken");
  CHECK_THROWS_AS(replace_file(folder.path() / "taken", "x"), Error);
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    ++entries;
  }
  CHECK(entries == 2);
}

TEST_CASE("an error carries its context, outermost first") {
  Error error(ErrorKind::unreachable, "no route to host");
  error.add_context("copying profile system");
  error.add_context("deploying web-1");
  CHECK(std::string(error.what()) == "deploying web-1: copying profile system: no route to host");
  CHECK(error.reason() == "unreachable");
}
