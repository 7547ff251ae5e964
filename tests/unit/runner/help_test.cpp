// SPDX-License-Identifier: Apache-2.0
#include "engine/base/text.h"
#include "engine/event/exit_code.h"
#include "runner/help.h"
#include "tests/catch.h"

#include <fstream>
#include <set>
#include <sstream>

namespace belay::runner {
namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::string text_for(const std::vector<std::string>& words) {
  const auto result = parse_options(words);
  REQUIRE(std::holds_alternative<HelpText>(result));
  return std::get<HelpText>(result).text;
}

/// The flags that a text names: words of the form --name.
std::set<std::string> flags_in(const std::string& text) {
  std::set<std::string> found;
  for (std::size_t at = text.find("--"); at != std::string::npos; at = text.find("--", at + 2)) {
    const auto end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", at);
    const std::string name = text.substr(at, end == std::string::npos ? end : end - at);
    if (name.size() > 2 && name[2] != '-') {
      found.insert(name);
    }
  }
  return found;
}

std::string cli_document() {
  const std::ifstream file(BELAY_SOURCE_DIR "/docs/cli.md");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

} // namespace

TEST_CASE("the help of all shows verbs, examples, exit codes and where to read on") {
  const std::string text = help();
  for (const VerbInfo& verb : verbs()) {
    CHECK(has(text, "\n  " + std::string(verb.name) + " "));
    CHECK(has(text, verb.summary));
  }
  for (const auto& code : event::exit_codes()) {
    CHECK(has(text, " " + std::to_string(static_cast<int>(code.code)) + "  "));
  }
  CHECK(has(text, "Usage: belay VERB"));
  CHECK(has(text, "docs/cli.md"));
}

TEST_CASE("the help of a verb shows its flags, and only those") {
  for (const VerbInfo& verb : verbs()) {
    const std::string text = help_of(verb.verb);
    INFO(text);
    CHECK(has(text, "Usage: belay " + std::string(verb.name)));
    std::set<std::string> expected;
    for (const Flag* flag : flags_of(verb.verb)) {
      expected.emplace(flag->name);
    }
    auto named = flags_in(text);
    named.erase("--option"); // an example's NIX ARGS
    for (const std::string& name : named) {
      INFO(name);
      CHECK((expected.contains(name) || name == "--events"));
    }
    for (const std::string& name : expected) {
      INFO(name);
      CHECK(named.contains(name));
    }
  }
}

TEST_CASE("no line of help is too long for a terminal of 100 columns") {
  for (const VerbInfo& verb : verbs()) {
    for (const std::string& line : split(help_of(verb.verb) + help(), '\n')) {
      INFO(line);
      CHECK(line.size() <= 100);
    }
  }
}

TEST_CASE("help and version are asked for in the usual ways") {
  CHECK(text_for({"--help"}) == help());
  CHECK(text_for({"-h"}) == help());
  CHECK(text_for({"run", "--help"}) == help_of(Verb::run));
  CHECK(text_for({"run", "--bad", "-h"}) == help_of(Verb::run));
  CHECK(text_for({"report", "--help"}) == help_of(Verb::report));
  CHECK(text_for({"--version"}).starts_with("belay "));
  const auto result = parse_options(std::vector<std::string>{"run", "--", "--help"});
  CHECK(std::holds_alternative<Options>(result));
}

TEST_CASE("docs/cli.md names each flag and verb, and no flag that is not there") {
  const std::string text = cli_document();
  REQUIRE_FALSE(text.empty());
  std::set<std::string> known{"--version", "--option"};
  for (const Flag& flag : flags()) {
    INFO(flag.name);
    CHECK(has(text, "`" + std::string(flag.name)));
    known.emplace(flag.name);
  }
  for (const VerbInfo& verb : verbs()) {
    CHECK(has(text, "belay " + std::string(verb.name)));
  }
  for (const std::string& name : flags_in(text)) {
    INFO(name);
    CHECK(known.contains(name));
  }
}

} // namespace belay::runner
