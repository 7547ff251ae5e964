// SPDX-License-Identifier: Apache-2.0
#include "reporters/webhook_message.h"

#include "engine/event/event_json.h"
#include "tests/catch.h"
#include "tests/unit/reporters/sample_events.h"

#include <nlohmann/json.hpp>

using namespace belay;
using namespace belay::reporters;
using namespace belay::test;
using event::Outcome;
using nlohmann::json;

TEST_CASE("globs") {
  CHECK(matches_glob("run.*", "run.started"));
  CHECK(matches_glob("*", ""));
  CHECK(matches_glob("*.fin*ed", "node.finished"));
  CHECK(matches_glob("node.??????ed", "node.finished"));
  CHECK_FALSE(matches_glob("run.*", "node.run.x"));
  CHECK_FALSE(matches_glob("node", "node.finished"));
  CHECK_FALSE(matches_glob("node.finished?", "node.finished"));
}

TEST_CASE("which events are sent") {
  using event::LogLine;
  CHECK(is_wanted(sample(event::RunStarted{}), {}));
  CHECK(is_wanted(sample(event::RunFinished{}), {}));
  CHECK(is_wanted(sample(event::NodeRolledBack{}), {}));
  CHECK(is_wanted(sample(node_end(Outcome::failure)), {}));
  CHECK_FALSE(is_wanted(sample(node_end(Outcome::success)), {}));
  CHECK_FALSE(is_wanted(sample(event::StageStarted{}), {}));
  CHECK(is_wanted(sample(node_end(Outcome::success)), {"run.*", "node.*"}));
  CHECK_FALSE(is_wanted(sample(event::StageStarted{}), {"run.*", "node.*"}));
  for (const char* glob : {"*", "log", "webhook.*"}) {
    CHECK_FALSE(is_wanted(sample(LogLine{}), {glob}));
    CHECK_FALSE(is_wanted(sample(event::WebhookFailed{}), {glob}));
  }
}

TEST_CASE("the body is the event; what is too long is cut and says so") {
  event::RunStarted started;
  started.trigger.url = "https://ci.example/7";
  const event::RunState state = folded({sample(started)});
  const json small = json::parse(webhook_body(sample(event::NodeQueued{}), state));
  CHECK(small["type"] == "belay.node.queued");
  CHECK(small["timestamp"] == "2026-03-01T12:00:00.000Z");
  CHECK(small["data"] == json::parse(event::to_json_line(sample(event::NodeQueued{}))));
  CHECK_FALSE(small.contains("truncated"));
  event::RunFinished huge;
  for (int i = 0; i < 500; ++i)
    huge.nodes.push_back({"node" + std::to_string(i), Outcome::failure, "activation-failed"});
  const std::string text = webhook_body(sample(huge), state);
  CHECK(text.size() <= webhook_body_limit);
  const json large = json::parse(text);
  REQUIRE(large.contains("truncated"));
  CHECK(large["truncated"] == true);
  CHECK(large["url"] == "https://ci.example/7");
  CHECK(large["data"]["data"]["nodes_omitted"] > 0);
  CHECK(large["data"]["data"]["nodes"].size() > 10);
}
