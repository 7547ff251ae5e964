// SPDX-License-Identifier: Apache-2.0
#include "engine/event/event_json.h"

#include "engine/base/error.h"
#include "tests/catch.h"
#include "tests/schema_check.h"
#include "tests/unit/event/samples.h"

#include <set>

using namespace belay;
using namespace belay::event;
using namespace belay::event::test;
using nlohmann::json;

namespace {

const Subject subject{"web-1", "system", Stage::activate, 2};

json line_of(const Payload& payload) {
  return json::parse(to_json_line(event_of(payload)));
}

std::set<std::string> keys_of(const json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items())
    keys.insert(key);
  return keys;
}

/// The sub-schema of `data` for a type.
json data_schema(const json& schema, std::string_view type) {
  for (const json& rule : schema["allOf"])
    if (rule["if"]["properties"]["type"]["const"] == type)
      return rule["then"]["properties"]["data"];
  return nullptr;
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

} // namespace

TEST_CASE("every payload survives being written and read") {
  for (const auto& payloads : {full_payloads(), empty_payloads()}) {
    REQUIRE(payloads.size() == std::variant_size_v<Payload>);
    for (std::size_t i = 0; i < payloads.size(); ++i) {
      REQUIRE(payloads[i].index() == i);
      const std::string line = to_json_line(event_of(payloads[i], subject));
      INFO(line);
      CHECK(line.find('\n') == std::string::npos);
      const auto read = from_json_line(line);
      REQUIRE(read);
      CHECK(read->payload.index() == i);
      CHECK(to_json_line(*read) == line);
    }
  }
}

TEST_CASE("the fields of a full payload have the values that they were given") {
  const json finished = line_of(full_payloads()[10]);
  CHECK(finished["v"] == 1);
  CHECK(finished["seq"] == 7);
  CHECK(finished["time"] == "2026-03-01T12:00:00.123Z");
  CHECK(finished["type"] == "stage.finished");
  CHECK(finished["level"] == "info");
  CHECK(finished["data"] ==
        json::parse(R"({"outcome":"failure","reason":"activation-failed","duration_s":2.1,
          "changed":true,"attempts":3,"exit_status":4,"bytes":12345,"generation_before":17,
          "generation_after":18,"details":{"drift":"yes"}})"));
  const json started = line_of(full_payloads()[0])["data"];
  CHECK(started["schema"] == json::parse(R"({"name":"belay.events","major":1,"minor":1})"));
  CHECK(started["plan"]["flake"] == ".#a");
  CHECK(started["trigger"]["ci"]["run_id"] == "1");
  CHECK(line_of(full_payloads()[4])["data"]["failed"] == json({"checks.x86_64-linux.a"}));
  CHECK(line_of(full_payloads()[5])["data"]["drv"] == "/nix/store/x.drv");
  CHECK(line_of(full_payloads()[21])["data"]["counts"]["rolled_back"] == 7);
}

TEST_CASE("a copy's progress is told in percent where it is known how much there is") {
  CHECK_FALSE(percent_of({10, {}}));
  CHECK(percent_of({0, 10}) == 0);
  CHECK(percent_of({399, 1000}) == 39);
  CHECK(percent_of({1100, 1000}) == 100); // more goes over the wire than archives
  CHECK(percent_of({0, 0}) == 100);
}

TEST_CASE("each type always has all of its fields, as the schema lists them") {
  const belay::test::SchemaCheck schema(events_schema());
  for (const auto& payloads : {full_payloads(), empty_payloads()})
    for (const Payload& payload : payloads) {
      const json line = line_of(payload);
      INFO(line.dump());
      CHECK(schema.problems(line.dump()).empty());
      const json data = data_schema(schema.schema(), type_of(payload));
      REQUIRE(data.is_object());
      CHECK(keys_of(line["data"]) == keys_of(data["properties"]));
      CHECK(data["required"].size() == data["properties"].size());
    }
  CHECK(schema.schema()["allOf"].size() == event_types().size());
}

TEST_CASE("the schema refuses what is not an event") {
  const belay::test::SchemaCheck schema(events_schema());
  const std::string good = to_json_line(event_of(full_payloads()[10], subject));
  REQUIRE(schema.problems(good).empty());
  CHECK_FALSE(schema.problems(replaced(good, "\"v\":1", "\"v\":2")).empty());
  CHECK_FALSE(schema.problems(replaced(good, "\"failure\"", "\"fine\"")).empty());
  CHECK_FALSE(schema.problems(replaced(good, "\"attempts\":3,", "")).empty());
  CHECK_FALSE(schema.problems(replaced(good, "\"attempts\":3", "\"attempts\":\"3\"")).empty());
  CHECK_FALSE(schema.problems("{}").empty());
}

TEST_CASE("reading is tolerant to what a newer belay adds") {
  const std::string line = to_json_line(event_of(full_payloads()[10], subject));
  SECTION("another type") {
    CHECK_FALSE(from_json_line(replaced(line, "stage.finished", "stage.paused")));
  }
  SECTION("another field") {
    const auto read =
        from_json_line(replaced(line, "\"data\":{", "\"wave\":3,\"data\":{\"x\":[1],"));
    REQUIRE(read);
    CHECK(to_json_line(*read) == line);
  }
  SECTION("another outcome is no success") {
    const auto read = from_json_line(replaced(line, "\"failure\"", "\"splendid\""));
    REQUIRE(read);
    CHECK(std::get<StageFinished>(read->payload).outcome == Outcome::error);
  }
  SECTION("another rollback is not known") {
    const std::string node = to_json_line(event_of(NodeFinished{}));
    const auto read = from_json_line(replaced(node, "\"none\"", "\"perhaps\""));
    CHECK(std::get<NodeFinished>(read->payload).rollback == Rollback::unknown);
  }
  SECTION("a missing outcome is no success") {
    const auto read = from_json_line(replaced(line, "\"outcome\":\"failure\",", ""));
    CHECK(std::get<StageFinished>(read->payload).outcome == Outcome::error);
  }
  SECTION("a stage that is not ours cannot be placed") {
    CHECK_FALSE(
        from_json_line(replaced(line, "\"stage\":\"activate\"", "\"stage\":\"preflight\"")));
  }
  SECTION("fields of another type are as if they were not there") {
    const auto read = from_json_line(replaced(line, "\"attempts\":3", "\"attempts\":{\"a\":[]}"));
    CHECK(std::get<StageFinished>(read->payload).attempts == 1);
    const auto huge = from_json_line(replaced(line, "\"attempts\":3", "\"attempts\":1e300"));
    CHECK(std::get<StageFinished>(huge->payload).attempts == 1);
    const auto long_one =
        from_json_line(replaced(line, "\"duration_s\":2.1", "\"duration_s\":1e300"));
    CHECK(std::get<StageFinished>(long_one->payload).duration > Duration(0));
  }
}

TEST_CASE("what is no event is refused") {
  const std::string line = to_json_line(event_of(NodeQueued{}));
  for (const std::string& wrong :
       {std::string("nonsense"), std::string("[1]"), std::string("{}"), std::string(),
        replaced(line, "\"v\":1", "\"v\":2"), replaced(line, "\"v\":1", "\"v\":\"1\""),
        replaced(line, "\"seq\":7", "\"seq\":-7"), replaced(line, "\"data\":{}", "\"data\":null"),
        replaced(line, "2026-03-01T", "yesterday")}) {
    INFO(wrong);
    try {
      from_json_line(wrong);
      FAIL("was accepted");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::protocol);
    }
  }
}

TEST_CASE("text in a line is clean UTF-8 without terminal sequences") {
  Event event = event_of(LogLine{"nix", "\x1b[31mred\x1b[0m \xff\xfe\x01 end", {}, true});
  event.message = "two\nlines \x1b[1mbold";
  const std::string text = to_json_line(event);
  const json line = json::parse(text);
  CHECK(line["data"]["text"] == "red \xef\xbf\xbd\xef\xbf\xbd end");
  CHECK(line["msg"] == "two lines bold");
}

TEST_CASE("no line is ever longer than its limit") {
  const std::string monster(100'000, '"');
  const std::string control(100'000, '\x1b');
  std::vector<Event> monsters;
  for (Payload payload : full_payloads())
    monsters.push_back(event_of(payload, {monster, monster, Stage::copy, 1}));
  for (Event& event : monsters)
    event.message = monster + control;
  RunStarted started;
  for (int i = 0; i < 2'000; ++i) {
    started.options["option" + std::to_string(i)] = monster.substr(0, 100);
    started.flakes.push_back(monster.substr(0, 100));
  }
  monsters.push_back(event_of(started));
  RunFinished finished;
  PlanResolved plan;
  Heartbeat heartbeat;
  StageFinished stage;
  for (int i = 0; i < 2'000; ++i) {
    const std::string id = "node" + std::to_string(i);
    finished.nodes.push_back({id, i == 1'999 ? Outcome::failure : Outcome::success, ""});
    plan.nodes.push_back({id, monster.substr(0, 50), id, {{"system", {Stage::build}, id}}});
    heartbeat.running.push_back(id);
    stage.details[id] = id;
  }
  for (const Payload& payload : std::vector<Payload>{finished, plan, heartbeat, stage})
    monsters.push_back(event_of(payload, subject));
  for (const std::size_t limit : {line_limit, std::size_t{20'000}, std::size_t{2048}})
    for (const Event& event : monsters) {
      const std::string line = to_json_line(event, limit);
      INFO(type_of(event.payload) << " of " << line.size() << " with limit " << limit);
      CHECK(line.size() + 1 <= limit);
      CHECK(from_json_line(line));
    }
  // What failed is what stays.
  const auto read = from_json_line(to_json_line(event_of(finished)));
  const auto& kept = std::get<RunFinished>(read->payload);
  REQUIRE(kept.nodes.size() == 1);
  CHECK(kept.nodes[0].id == "node1999");
  CHECK(kept.nodes_omitted == 1'999);
}

TEST_CASE("long log text is split and nothing of it is lost") {
  std::string text;
  for (int i = 0; text.size() < 200'000; ++i)
    text += "line " + std::to_string(i) + " \xe2\x86\x92 \"quoted\"\n";
  text += std::string(70'000, '"');
  std::string joined;
  const auto drafts = split_log("build", text, subject);
  REQUIRE(drafts.size() > 4);
  int number = 0;
  for (const Draft& draft : drafts) {
    const auto& log = std::get<LogLine>(draft.payload);
    CHECK(log.part == ++number);
    CHECK(log.last == (&draft == &drafts.back()));
    const auto read = from_json_line(to_json_line(event_of(draft.payload, draft.subject)));
    joined += std::get<LogLine>(read->payload).text;
  }
  CHECK(joined == text);
  CHECK_FALSE(std::get<LogLine>(split_log("build", "short", subject)[0].payload).part);
}
