// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/plan/target.h"
#include "tests/catch.h"

#include <vector>

namespace belay::plan {
namespace {

struct Row {
  const char* text;
  const char* flake;
  const char* node;    // nullptr = none
  const char* profile; // nullptr = none
};

const std::vector<Row> good{
    {".", ".", nullptr, nullptr},
    {".#", ".", nullptr, nullptr},
    {"#web", ".", "web", nullptr},
    {".#web", ".", "web", nullptr},
    {".#web-1.system", ".", "web-1", "system"},
    {".#web_1'.x", ".", "web_1'", "x"},
    {"github:acme/infra#db", "github:acme/infra", "db", nullptr},
    {"git+file:///a?dir=b#db.x", "git+file:///a?dir=b", "db", "x"},
    {R"(.#"web.example.com".system)", ".", "web.example.com", "system"},
    {R"(.#"web.example.com")", ".", "web.example.com", nullptr},
    {R"(.#web."a b")", ".", "web", "a b"},
    {R"(.#"a#b".c)", ".", "a#b", "c"},
    {R"(.#"a\"b\\c\n\${x}")", ".", "a\"b\\c\n${x}", nullptr},
    {R"(.#"$x")", ".", "$x", nullptr},
    {".#10-0-0-1", ".", "10-0-0-1", nullptr},
};

} // namespace

TEST_CASE("targets are read as deploy-rs reads them") {
  for (const Row& row : good) {
    INFO(row.text);
    const Target target = parse_target(row.text);
    CHECK(target.flake == row.flake);
    CHECK(target.node.has_value() == (row.node != nullptr));
    CHECK(target.node.value_or("") == (row.node ? row.node : ""));
    CHECK(target.profile.has_value() == (row.profile != nullptr));
    CHECK(target.profile.value_or("") == (row.profile ? row.profile : ""));
  }
}

TEST_CASE("a target that is none is a usage error that names it") {
  const std::vector<std::string> bad{
      "",       ".#a.b.c",    ".#.a",   ".#a.", ".#a b", ".#\"a",   ".#\"a\"b",
      ".#\"\"", ".#\"${x}\"", ".#a..b", "-x#a", ".#a#b", ".#\"a\\", std::string("a\0b", 3)};
  for (const std::string& text : bad) {
    INFO(text);
    try {
      parse_target(text);
      FAIL("was accepted");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
      CHECK(error.message().find("target '" + text + "'") != std::string::npos);
    }
  }
}

TEST_CASE("names are written so that Nix reads back the same") {
  CHECK(nix_attribute("web-1") == "web-1");
  CHECK(nix_attribute("web.example.com") == R"("web.example.com")");
  CHECK(nix_attribute("1st") == R"("1st")");
  CHECK(nix_attribute("") == R"("")");
  CHECK(nix_attribute("if") == R"("if")");
  CHECK(nix_string("a\"b") == R"("a\"b")");
  CHECK(nix_string("a\\b") == R"("a\\b")");
  CHECK(nix_string("${builtins.abort \"x\"}") == R"("\${builtins.abort \"x\"}")");
  CHECK(nix_string("$${x}") == R"("\$\${x}")");
  CHECK(nix_string("a\nb\rc\td") == R"("a\nb\rc\td")");
}

TEST_CASE("what nix_attribute writes parse_target reads") {
  for (const std::string name : {"a", "a.b", "a\"b", "${a}", "a\\", "a\nb\r\t", "$$", "ä ö", "#"}) {
    INFO(name);
    CHECK(parse_target(".#" + nix_attribute(name)).node == name);
  }
}

} // namespace belay::plan
