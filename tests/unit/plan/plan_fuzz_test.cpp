// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/plan/flake_output.h"
#include "engine/plan/plan_file.h"
#include "tests/catch.h"

#include <random>

namespace belay::plan {
namespace {

std::string repeated(std::string_view piece, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) {
    text += piece;
  }
  return text;
}

Diagnostics problems_of(const std::string& text) {
  Diagnostics problems;
  parse_plan_file(text, "x.yaml", problems);
  return problems;
}

void check_well_formed(const Diagnostics& problems) {
  CHECK(problems.size() <= 200);
  for (const Diagnostic& problem : problems) {
    const std::string line = problem.line_text();
    if (line.find('\n') != std::string::npos || line.size() > 4096 || problem.code.empty()) {
      FAIL(line);
    }
  }
}

const std::string seed_file = "version: 1\nflake: .\nparallel: 8\nlimits: {copy: 4}\n"
                              "settings: {sshUser: deploy, sshOpts: [\"-p\", \"22\"]}\n"
                              "nodes:\n  web-1: &a\n    hostname: w\n    profiles: {s: {user: r}}\n"
                              "  b: *a\nwebhooks:\n  - {urlEnv: A, events: [run.*]}\n";

/// A few random changes to a text: bytes replaced, pieces doubled or cut out.
std::string mutated(std::string text, std::mt19937& random) {
  static constexpr std::string_view bytes = "\n\t :-{}[],&*!|>'\"%@`#?\0\x80\xff~=<1a";
  const auto at = [&](std::size_t size) { return random() % std::max<std::size_t>(size, 1); };
  for (std::size_t changes = 1 + at(6); changes > 0 && !text.empty(); --changes) {
    const auto place = at(text.size());
    const auto length = 1 + at(12);
    switch (at(3)) {
    case 0:
      text[place] = bytes[at(bytes.size())];
      break;
    case 1:
      text.insert(at(text.size()), text.substr(place, length));
      break;
    default:
      text.erase(place, length);
    }
  }
  return text;
}

} // namespace

TEST_CASE("deep and exploding YAML is refused, quickly and once") {
  std::string bomb = "version: 1\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" +
            repeated(before + ", ", 9) + before + "]\n";
  }
  for (const std::string& text :
       {repeated("[", 100'000), repeated("{a: ", 100'000), repeated("- ", 50'000), bomb,
        "version: 1\nx: &a y\nz: [" + repeated("*a, ", 2'000) + "]\n",
        "version: 1\nx: [" + repeated("a, ", 600'000) + "]\n"}) {
    INFO(text.substr(0, 40));
    CHECK(problems_of(text).size() == 1);
  }
}

TEST_CASE("very many problems are cut") {
  std::string text = "version: 1\n";
  for (int i = 0; i < 5'000; ++i) {
    text += "key" + std::to_string(i) + ": 1\n";
  }
  const Diagnostics problems = problems_of(text);
  CHECK(problems.size() == 200);
  CHECK(problems.back().code == "more-problems");
}

TEST_CASE("changed plan files are read or refused, never more") {
  std::mt19937 random(20261122);
  for (int i = 0; i < 3'000; ++i) {
    const std::string text = mutated(seed_file, random);
    INFO(text);
    check_well_formed(problems_of(text));
  }
}

TEST_CASE("changed flake outputs are read or refused, never more") {
  const std::string seed = R"({"generic":{"sshUser":"u","confirmTimeout":30},"nodes":{"w":{
    "selected":true,"ok":true,"profileNames":["s"],"value":{"hostname":"h","profilesOrder":["s"],
    "profiles":{"s":{"path":"/nix/store/x","context":{"/nix/store/y.drv":{"outputs":["out"]}},
    "sshOpts":["-4"]}}}},"x":{"selected":false,"profileNames":[]}}})";
  std::mt19937 random(7);
  for (int i = 0; i < 3'000; ++i) {
    const std::string text = mutated(seed, random);
    INFO(text);
    Diagnostics problems;
    try {
      parse_flake_output(text, ".", problems);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::evaluation_failed);
    }
    check_well_formed(problems);
  }
}

} // namespace belay::plan
