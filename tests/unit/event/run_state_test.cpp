// SPDX-License-Identifier: Apache-2.0
#include "engine/event/run_state.h"

#include "engine/base/error.h"
#include "engine/event/event_json.h"
#include "tests/catch.h"
#include "tests/unit/event/samples.h"

#include <sstream>

using namespace belay;
using namespace belay::event;
using test::event_of;

namespace {

const Subject activation{"web-1", "system", Stage::activate, 0};

RunState announced() {
  PlanResolved plan;
  plan.nodes = {{"web-1",
                 "web-1.internal",
                 ".#web-1",
                 {{"system", {Stage::build, Stage::activate}, "/nix/store/x"}}}};
  RunState state;
  fold(state, event_of(plan));
  return state;
}

StageFinished ending(Outcome outcome) {
  StageFinished data;
  data.outcome = outcome;
  return data;
}

} // namespace

TEST_CASE("a node is found by its name, however it came into the state") {
  RunState state = announced();
  CHECK(state.find("web-1") == &state.nodes.at(0));
  CHECK(state.find("web-2") == nullptr);
  NodeState other;
  other.id = "web-0";
  state.nodes.insert(state.nodes.begin(), other);
  CHECK(state.find("web-1") == &state.nodes.at(1));
  CHECK(state.find("web-0") == &state.nodes.at(0));
  CHECK(state.find("web-2") == nullptr);
}

TEST_CASE("the announcement is the skeleton that later events fill") {
  RunState state = announced();
  REQUIRE(state.nodes.size() == 1);
  CHECK(state.nodes[0].profiles[0].stages.size() == 2);
  fold(state, event_of(StageStarted{}, activation));
  fold(state, event_of(StageRetrying{1, 3, Duration(1), "unreachable"}, activation));
  fold(state, event_of(LogLine{"activation", "hello", {}, true}, activation));
  fold(state, event_of(ending(Outcome::failure), activation));
  fold(state, event_of(StageStarted{}, {"web-1", "system", Stage::rollback, 0}));
  const ProfileState& profile = state.nodes[0].profiles[0];
  REQUIRE(profile.stages.size() == 3);
  CHECK(profile.stages[1].started);
  CHECK(profile.stages[1].retries.size() == 1);
  CHECK(profile.stages[1].log == "hello\n");
  CHECK(profile.stages[1].finished->outcome == Outcome::failure);
  CHECK(profile.stages[2].stage == Stage::rollback);
}

TEST_CASE("what was not announced is added as it comes") {
  RunState state;
  fold(state, event_of(NodeFinished{}, {"surprise", "", {}, 0}));
  fold(state, event_of(ending(Outcome::success), activation));
  CHECK(state.nodes.size() == 2);
  CHECK(state.find("surprise") != nullptr);
  CHECK(state.find("nobody") == nullptr);
}

TEST_CASE("a second node.finished does not make a bad end good") {
  RunState state = announced();
  NodeFinished bad;
  bad.outcome = Outcome::failure;
  fold(state, event_of(bad, {"web-1", "", {}, 0}));
  fold(state, event_of(NodeFinished{}, {"web-1", "", {}, 0}));
  CHECK(state.nodes[0].finished->outcome == Outcome::failure);
}

TEST_CASE("logs are bounded, and what is kept is their end") {
  RunState state = announced();
  for (int i = 0; i < 40'000; ++i)
    fold(state, event_of(LogLine{"activation", "line " + std::to_string(i), {}, true}, activation));
  const std::string& log = state.nodes[0].profiles[0].stages[1].log;
  CHECK(log.size() <= 2 * log_tail_limit);
  CHECK(log.ends_with("line 39999\n"));
  fold(state, event_of(ending(Outcome::failure), activation));
  CHECK(log.size() <= log_tail_limit);
  CHECK(log.size() > log_tail_limit / 2);
  CHECK(log.ends_with("line 39999\n"));
  fold(state, event_of(ending(Outcome::success), activation));
  CHECK(log.size() <= good_log_tail_limit);
}

TEST_CASE("logs find their place: stage, node, evaluation, build") {
  RunState state = announced();
  fold(state, event_of(LogLine{"ssh", "node", {}, true}, {"web-1", "", {}, 0}));
  fold(state, event_of(LogLine{"nix", "evaluating", {}, true}, {"", "", Stage::evaluate, 0}));
  fold(state, event_of(LogLine{"nix", "buil", 1, false}, {"", "", Stage::build, 0}));
  fold(state, event_of(LogLine{"nix", "ding", 2, true}, {"", "", Stage::build, 0}));
  CHECK(state.nodes[0].log == "node\n");
  CHECK(state.evaluate_log == "evaluating\n");
  CHECK(state.build_log == "building\n");
}

TEST_CASE("each flake's checks have their own log") {
  RunState state;
  const Subject checks{"", "", Stage::check, 0};
  for (const char* flake : {"a", "b"}) {
    fold(state, event_of(StageStarted{}, checks));
    CHECK(state.checking);
    fold(state, event_of(LogLine{"nix", flake, {}, true}, checks));
    fold(state, event_of(CheckFinished{flake, Outcome::success, {}, {}, ""}, checks));
    CHECK_FALSE(state.checking);
  }
  REQUIRE(state.checks.size() == 2);
  CHECK(state.checks[0].log == "a\n");
  CHECK(state.checks[1].log == "b\n");
  CHECK(state.build_log.empty());
}

TEST_CASE("builds are counted, webhook failures too, the first cancel stays") {
  RunState state;
  BuildFinished build;
  fold(state, event_of(build));
  build.cached = true;
  fold(state, event_of(build));
  fold(state, event_of(build));
  build.outcome = Outcome::failure;
  fold(state, event_of(build));
  fold(state, event_of(WebhookFailed{}));
  fold(state, event_of(CancelRequested{"signal", "SIGINT", ""}));
  fold(state, event_of(CancelRequested{"signal", "SIGTERM", ""}));
  CHECK(state.built == 1);
  CHECK(state.cached == 2);
  CHECK(state.webhook_failures == 1);
  CHECK(state.cancel->signal == "SIGINT");
}

TEST_CASE("a saved stream is folded as the run was") {
  std::string saved;
  for (const Payload& payload : test::full_payloads())
    saved += to_json_line(event_of(payload, {"web-1", "system", Stage::copy, 0})) + "\n";
  SECTION("whole") {
    std::istringstream input(saved);
    const RunState state = load_events(input);
    CHECK(state.finished);
    CHECK(state.started->tool_name == "belay");
    CHECK(state.run == "0195510e-8c00-7000-8000-0123456789ab");
  }
  SECTION("its writer was killed in the middle of a line") {
    std::istringstream input(saved.substr(0, saved.size() - 40));
    const RunState state = load_events(input);
    CHECK_FALSE(state.finished);
    CHECK(state.started);
  }
  SECTION("unknown types are left out") {
    std::string line = to_json_line(event_of(NodeQueued{}));
    line.replace(line.find("node.queued"), 11, "node.dreamt");
    std::istringstream input(line + "\n" + saved);
    CHECK(load_events(input).finished);
  }
  SECTION("a broken line in the middle is named") {
    std::istringstream input(saved + "garbage\n" + saved);
    try {
      load_events(input);
      FAIL("was accepted");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::protocol);
      CHECK(error.message().starts_with("line 23: "));
    }
  }
  SECTION("a line without an end is refused before it fills the memory") {
    std::istringstream input(std::string(17 * line_limit, 'x'));
    CHECK_THROWS_AS(load_events(input), Error);
  }
  SECTION("nothing at all") {
    std::istringstream input("");
    try {
      load_events(input);
      FAIL("was accepted");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
    }
  }
}
