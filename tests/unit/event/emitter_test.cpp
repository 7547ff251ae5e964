// SPDX-License-Identifier: Apache-2.0
#include "engine/base/text.h"
#include "engine/event/event.h"
#include "engine/event/event_json.h"
#include "engine/event/run_state.h"
#include "tests/catch.h"
#include "tests/unit/event/samples.h"

using namespace belay;
using namespace belay::event;

namespace {

class StillClock final : public Clock {
public:
  Instant now() const override { return {}; }
  WallTime wall() const override { return *parse_time("2026-03-01T12:00:00.000Z"); }
  void sleep_until(Instant) override {}
};

struct Collector final : Sink {
  std::vector<Event> events;
  void on_event(const Event& event) override { events.push_back(event); }
};

struct Fixture {
  StillClock clock;
  Collector sink;
  Emitter emitter;
  explicit Fixture(SecretMask mask = {}) : emitter("run-1", clock, sink, std::move(mask)) {}
};

} // namespace

TEST_CASE("drafts get number, time, run and a message") {
  Fixture f;
  f.emitter.emit({NodeQueued{}, {"web-1", "", {}, 0}, Level::debug, ""});
  f.emitter.emit({StageStarted{}, {"web-1", "system", Stage::copy, 0}, Level::info, "go\non"});
  REQUIRE(f.sink.events.size() == 2);
  CHECK(f.sink.events[0].sequence == 1);
  CHECK(f.sink.events[1].sequence == 2);
  CHECK(f.sink.events[0].run == "run-1");
  CHECK(f.sink.events[0].time == f.clock.wall());
  CHECK(f.sink.events[0].level == Level::debug);
  CHECK(f.sink.events[0].message == "web-1 is queued");
  CHECK(f.sink.events[1].message == "go on");
}

TEST_CASE("every payload describes itself on one line") {
  for (const auto& payloads : {test::full_payloads(), test::empty_payloads()})
    for (const Payload& payload : payloads)
      for (const Subject& about : {Subject{}, Subject{"web-1", "system", Stage::copy, 1}}) {
        const std::string text = describe(payload, about);
        INFO(type_of(payload));
        CHECK_FALSE(text.empty());
        CHECK(text == one_line(text));
      }
  CHECK(describe(NodeRolledBack{18, 17, RollbackTrigger::activation, true},
                 {"db-1", "system", {}, 0}) == "db-1/system rolled back from generation 18 to "
                                               "generation 17 because of activation, verified");
}

TEST_CASE("a secret is masked in every string of every event") {
  const std::string secret = "s3cret-value";
  Fixture f(SecretMask({secret, "line one of a key\nline two of a key\n"}));
  for (Payload payload : test::full_payloads()) {
    // Every string of the JSON form becomes the secret: what is not masked will be seen.
    std::string line = to_json_line(test::event_of(payload, {"web-1", "system", Stage::copy, 1}));
    for (const char* word : {"web-1",
                             "system",
                             "belay.yaml",
                             "runner-1",
                             "mona",
                             "production",
                             "/nix/store/x",
                             "https://hooks.example",
                             "gave up",
                             "a line",
                             "activation-failed",
                             "unreachable",
                             "3f2c1ab",
                             "attribute missing",
                             "parallel",
                             "drift",
                             "yes",
                             "out/junit.xml",
                             "SIGTERM",
                             "grace 6 s",
                             ".#a",
                             "0.1.0",
                             "build-failed",
                             "rolled-back",
                             "state-unknown"})
      for (std::size_t at = line.find(word); at != std::string::npos;
           at = line.find(word, at + secret.size()))
        line.replace(at, std::string_view(word).size(), secret);
    const auto poisoned = from_json_line(line);
    REQUIRE(poisoned);
    f.emitter.emit({poisoned->payload, poisoned->subject, Level::info, "said " + secret});
  }
  for (const Event& event : f.sink.events) {
    const std::string line = to_json_line(event);
    INFO(line);
    CHECK(line.find(secret) == std::string::npos);
    CHECK(line.find("***") != std::string::npos);
  }
}

TEST_CASE("escape sequences do not carry a secret past the mask") {
  Fixture f(SecretMask({"s3cret-value"}));
  f.emitter.emit({LogLine{"ssh", "a s3cret-\x1b[0mvalue b", {}, true}, {}, Level::info, ""});
  CHECK(std::get<LogLine>(f.sink.events[0].payload).text == "a *** b");
  CHECK(f.sink.events[0].message == "ssh: a *** b");
}

TEST_CASE("the lines of a key are masked one by one, short secrets not at all") {
  const SecretMask mask(
      {"first line 123\nsecond line 456\n\nxy\n", "abc", "", "longer first line 123"});
  CHECK(mask.apply("saw second line 456 here") == "saw *** here");
  CHECK(mask.apply("longer first line 123") == "***");
  CHECK(mask.apply("abc xy") == "abc xy");
}

TEST_CASE("a secret known late is masked from then on") {
  Fixture f;
  f.emitter.add_secret("hunter2-hunter2");
  f.emitter.emit({Heartbeat{}, {}, Level::info, "it is hunter2-hunter2"});
  CHECK(f.sink.events[0].message == "it is ***");
}

TEST_CASE("names that differ in a control character stay different") {
  Fixture f;
  f.emitter.emit({NodeQueued{}, {"web\x1b[0m", "", {}, 0}, Level::info, ""});
  f.emitter.emit({NodeQueued{}, {"web", "", {}, 0}, Level::info, ""});
  CHECK(f.sink.events[0].subject.node == "web\xe2\x90\x9b[0m");
  CHECK(f.sink.events[1].subject.node == "web");
}

TEST_CASE("a long log and a large plan are several events with numbers of their own") {
  Fixture f;
  f.emitter.emit({LogLine{"build", std::string(100'000, 'x'), {}, true}, {}, Level::info, ""});
  const std::size_t logs = f.sink.events.size();
  CHECK(logs > 1);
  PlanResolved plan;
  plan.parallel = 8;
  for (int i = 0; i < 3000; ++i)
    plan.nodes.push_back({"node" + std::to_string(i),
                          "host",
                          "target",
                          {{"system", {Stage::build, Stage::copy}, "/nix/store/x"}}});
  f.emitter.emit({plan, {}, Level::info, ""});
  RunState state;
  for (std::size_t i = 0; i < f.sink.events.size(); ++i) {
    CHECK(f.sink.events[i].sequence == i + 1);
    const std::string line = to_json_line(f.sink.events[i]);
    CHECK(line.size() < line_limit);
    fold(state, *from_json_line(line));
  }
  REQUIRE(state.nodes.size() == 3000);
  CHECK(state.nodes.front().id == "node0");
  CHECK(state.nodes.back().id == "node2999");
  REQUIRE(state.plan);
  CHECK(state.plan->nodes.size() == 3000);
  CHECK(state.plan->last);
}
