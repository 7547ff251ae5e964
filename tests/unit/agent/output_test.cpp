// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/line_reader.h"
#include "engine/agent/script_output.h"

#include "engine/base/file.h"
#include "tests/catch.h"

#include <fstream>

using namespace belay::agent;

namespace {

struct Folder {
  belay::TemporaryDirectory folder{"/tmp/belay-output-"};
  std::filesystem::path path = folder.path() / "output";
  void write(const std::string& text) const {
    std::ofstream(path, std::ios::app | std::ios::binary) << text;
  }
};

using Lines = std::vector<std::string>;

} // namespace

TEST_CASE("script output: lines as they are ended") {
  Folder f;
  ScriptOutputReader reader(f.path, {});
  CHECK(reader.read_lines(false).empty());
  f.write("one\ntw");
  CHECK(reader.read_lines(false) == Lines{"one"});
  f.write("o\n\nthree");
  CHECK(reader.read_lines(false) == Lines{"two", ""});
  CHECK(reader.read_lines(true) == Lines{"three"});
  CHECK(reader.read_lines(true).empty());
}

TEST_CASE("script output: from now on") {
  Folder f;
  f.write("old\n");
  ScriptOutputReader reader(f.path, {.from_start = false});
  f.write("new\n");
  CHECK(reader.read_lines(false) == Lines{"new"});
}

TEST_CASE("script output: long lines come in pieces") {
  Folder f;
  ScriptOutputReader reader(f.path, {.line_cap = 4});
  f.write("123456789\n");
  CHECK(reader.read_lines(false) == Lines{"1234", "5678", "9"});
}

TEST_CASE("script output: who falls behind skips, and says how much") {
  Folder f;
  ScriptOutputReader reader(f.path, {.burst_cap = 1000});
  f.write(std::string(100'000, 'x') + "\nlast\n");
  const auto lines = reader.read_lines(true);
  REQUIRE(lines.size() >= 2);
  CHECK(lines.front().find("not shown") != std::string::npos);
  CHECK(lines.back() == "last");
}

TEST_CASE("line reader: half a line at the end is none, a long one is cut") {
  auto [read_end, write_end] = belay::make_pipe();
  belay::write_all(write_end.get(), "one\n" + std::string(500, 'y') + "\n\nhalf");
  write_end.reset();
  LineReader reader(read_end.get(), 100);
  CHECK(reader.next() == "one");
  CHECK(reader.next() == std::string(100, 'y'));
  CHECK(reader.next() == "");
  CHECK_FALSE(reader.next());
}
