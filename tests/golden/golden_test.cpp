// SPDX-License-Identifier: Apache-2.0
#include "engine/base/file.h"
#include "engine/event/event_json.h"
#include "engine/event/run_state.h"
#include "reporters/console.h"
#include "reporters/junit.h"
#include "tests/catch.h"
#include "tests/golden/scenarios.h"
#include "tests/schema_check.h"

#include <cstdlib>
#include <sstream>

// events.jsonl -> junit.xml and console.txt, and how events.jsonl itself is written. After a change
// that is meant: UPDATE_GOLDEN=1, then read the difference.

namespace {

namespace fs = std::filesystem;
using namespace belay;

constexpr std::size_t cap = 1 << 20;

void compare(const fs::path& file, const std::string& actual) {
  if (std::getenv("UPDATE_GOLDEN") != nullptr)
    replace_file(file, actual);
  INFO("golden file " << file);
  REQUIRE(fs::exists(file));
  CHECK(read_file(file, cap) == actual);
}

fs::path folder_of(const golden::Scenario& scenario) {
  return fs::path(BELAY_SOURCE_DIR) / "tests/golden" / scenario.name;
}

std::string jsonl_of(const std::vector<event::Event>& events) {
  std::string text;
  for (const event::Event& event : events)
    text += event::to_json_line(event) + "\n";
  return text;
}

std::string console_of(const std::string& jsonl) {
  std::string text;
  reporters::FanOut fan_out([](const std::string& message) { FAIL(message); });
  fan_out.add(std::make_unique<reporters::ConsoleReporter>(
      [&](const reporters::ConsoleLine& line) { text += line.text() + "\n"; }));
  std::istringstream input(jsonl);
  event::replay_events(input, fan_out);
  return text;
}

event::RunState state_of(const std::string& jsonl) {
  std::istringstream input(jsonl);
  return event::load_events(input);
}

} // namespace

TEST_CASE("events are written as the golden files have them") {
  for (const golden::Scenario& scenario : golden::scenarios())
    compare(folder_of(scenario) / "events.jsonl", jsonl_of(scenario.events()));
}

TEST_CASE("the console says what the golden files say") {
  for (const golden::Scenario& scenario : golden::scenarios())
    compare(folder_of(scenario) / "console.txt",
            console_of(read_file(folder_of(scenario) / "events.jsonl", cap)));
}

TEST_CASE("JUnit is what the golden files have") {
  for (const golden::Scenario& scenario : golden::scenarios())
    compare(folder_of(scenario) / "junit.xml",
            reporters::junit_xml(state_of(read_file(folder_of(scenario) / "events.jsonl", cap))));
}

TEST_CASE("xmllint accepts every golden report") {
  if (std::system("xmllint --version >/dev/null 2>&1") != 0) {
    WARN("no xmllint here: not checked");
    return;
  }
  const std::string xsd = std::string(BELAY_SOURCE_DIR) + "/tests/golden/junit.xsd";
  for (const golden::Scenario& scenario : golden::scenarios()) {
    const std::string file = (folder_of(scenario) / "junit.xml").string();
    INFO(file);
    CHECK(std::system(("xmllint --noout --schema '" + xsd + "' '" + file + "' 2>&1").c_str()) == 0);
  }
}

TEST_CASE("every golden event is valid against the schema") {
  const test::SchemaCheck schema(event::events_schema());
  for (const golden::Scenario& scenario : golden::scenarios()) {
    std::istringstream lines(read_file(folder_of(scenario) / "events.jsonl", cap));
    for (std::string line; std::getline(lines, line);) {
      INFO(scenario.name << ": " << line);
      CHECK(schema.problems(line).empty());
    }
  }
}

TEST_CASE("a verdict made again from the saved stream is the one that the run had") {
  for (const golden::Scenario& scenario : golden::scenarios()) {
    const event::RunState state = state_of(read_file(folder_of(scenario) / "events.jsonl", cap));
    INFO(scenario.name);
    REQUIRE(state.finished);
    CHECK(event::judge(state).exit_code == state.finished->exit_code);
  }
}
