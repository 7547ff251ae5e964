// SPDX-License-Identifier: Apache-2.0
#include "reporters/live_view.h"

#include "reporters/display_width.h"
#include "tests/catch.h"
#include "tests/unit/reporters/sample_events.h"

using namespace belay;
using namespace belay::reporters;
using namespace belay::test;
using namespace std::chrono_literals;
using event::Outcome;
using event::Stage;
using Lines = std::vector<std::string>;

namespace {

/// Events a while after each other, and what is to be seen then.
class Told {
public:
  LiveView view;
  WallTime now{1'000'000s};

  Told& operator()(event::Payload payload, event::Subject subject = {}) {
    event::Event event = sample(std::move(payload), std::move(subject));
    event.time = now;
    view.take(event);
    return *this;
  }
  Told& start(const std::string& node, Stage stage) {
    return (*this)(event::StageStarted{}, {node, "system", stage, 0});
  }
  Told& end(const std::string& node, Stage stage, Outcome outcome = Outcome::success) {
    return (*this)(stage_end(outcome), {node, "system", stage, 0});
  }
  Told& after(Duration duration) {
    now += duration;
    return *this;
  }
  Lines lines(std::size_t columns = 80, std::size_t rows = 24) const {
    Lines lines;
    for (const ConsoleLine& line : view.frame({columns, rows}, now))
      lines.push_back(line.text());
    return lines;
  }
};

std::string name_of(int number) {
  return "node-" + std::to_string(number);
}

Told with_nodes(int number) {
  Told told;
  told(event::RunStarted{});
  event::PlanResolved plan = plan_of({});
  for (int i = 1; i <= number; ++i)
    plan.nodes.push_back({name_of(i), "", "", {{"system", {}, ""}}});
  told(plan);
  return told;
}

bool has(const Lines& lines, const std::string& part) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(part) != std::string::npos; });
}

} // namespace

TEST_CASE("what goes on stands in the columns that its end will have") {
  Told told = with_nodes(3);
  told.start("node-2", Stage::copy).after(1s).start("node-1", Stage::copy).after(6400ms);
  told(event::StageProgress{12'900'000, 42'000'000}, {"node-2", "system", Stage::copy, 0});
  told(event::StageProgress{700, {}}, {"node-1", "system", Stage::copy, 0});
  told.start("node-3", Stage::activate).after(61s);
  CHECK(told.lines(100) ==
        Lines{" node-2    system   12.3 MiB  of 40.1 MiB  30 %   1 min 08 s   copying",
              " node-1    system      700 B                      1 min 07 s   copying",
              " node-3    system                                 1 min 01 s   activating",
              " nodes     0 of 3 done, 3 at work                 1 min 08 s"});
}

TEST_CASE("evaluation and build have a line of their own") {
  Told told;
  told(event::RunStarted{});
  told(event::StageStarted{}, {"", "", Stage::evaluate, 0}).after(3s);
  CHECK(told.lines() == Lines{" evaluate                                               3 s"});
  told(event::EvaluateFinished{});
  CHECK(told.lines().empty());
  told(event::StageStarted{}, {"", "", Stage::check, 0});
  told(event::LogLine{"nix", "building deploy-schema", {}, true}, {"", "", Stage::check, 0})
      .after(1s);
  CHECK(has(told.lines(), " check     building deploy-schema "));
  told(event::CheckFinished{}, {"", "", Stage::check, 0});
  CHECK(told.lines().empty());
  told(plan_of({"a", "b"})).start("a", Stage::build).start("b", Stage::build).after(2s);
  CHECK(told.lines().front() == " build     2 profiles                                   2 s");
  told.end("a", Stage::build).end("b", Stage::build);
  CHECK_FALSE(has(told.lines(), "build"));
}

TEST_CASE("a node keeps its line from one stage to the next, and gives it up when it waits") {
  Told told = with_nodes(2);
  told.start("node-1", Stage::copy).start("node-2", Stage::copy).after(2s);
  told.end("node-1", Stage::copy).after(300ms);
  CHECK(has(told.lines(), "node-1"));
  told.start("node-1", Stage::lock).after(1s);
  CHECK(told.lines().front().ends_with("1 s   locking"));
  told.end("node-1", Stage::lock).after(LiveView::linger);
  CHECK_FALSE(has(told.lines(), "node-1"));
  told.start("node-1", Stage::activate);
  CHECK(told.lines()[1].find("node-1") != std::string::npos); // behind the one that went on
}

TEST_CASE("a node that ended is counted and has no line") {
  Told told = with_nodes(3);
  told.start("node-1", Stage::verify).start("node-2", Stage::activate);
  told(node_end(Outcome::success), {"node-1", "", {}, 0});
  told(node_end(Outcome::failure, "activation-failed"), {"node-2", "", {}, 0});
  CHECK(told.lines() == Lines{" nodes     2 of 3 done, 1 failed                        0 s"});
  told(event::CancelRequested{});
  CHECK(told.lines().front().starts_with(" stopping  2 of 3 done"));
  told(event::RunFinished{});
  CHECK(told.lines().empty());
}

TEST_CASE("a further attempt is said") {
  Told told = with_nodes(1);
  told.start("node-1", Stage::copy);
  told(event::StageRetrying{1, 3, {}, "unreachable"}, {"node-1", "system", Stage::copy, 0});
  CHECK(has(told.lines(), "copying, attempt 2"));
}

TEST_CASE("two hundred nodes on twenty-four rows") {
  Told told = with_nodes(200);
  for (int i = 1; i <= 200; ++i)
    told.start(name_of(i), Stage::copy).after(1ms);
  const Lines lines = told.lines(80, 24);
  REQUIRE(lines.size() == 22);
  CHECK(lines[0].starts_with(" node-1 "));
  CHECK(lines[19].starts_with(" node-20 "));
  CHECK(lines[20] == " \xe2\x80\xa6 and 180 more");
  CHECK(lines[21].starts_with(" nodes     0 of 200 done, 200 at work"));
}

TEST_CASE("no size of a terminal gets more than it holds") {
  Told told = with_nodes(40);
  told.start("node-40", Stage::build);
  for (int i = 1; i <= 30; ++i) {
    told.start(name_of(i), Stage::copy);
    told(event::StageProgress{5'000'000'000'000, 9'000'000'000'000},
         {name_of(i), "system", Stage::copy, 0});
  }
  told.after(400h);
  for (std::size_t columns = 1; columns < 130; columns += 3)
    for (std::size_t rows = 1; rows < 45; ++rows) {
      INFO(columns << "x" << rows);
      const Lines lines = told.lines(columns, rows);
      CHECK((lines.empty() || lines.size() < rows));
      CHECK(std::all_of(lines.begin(), lines.end(),
                        [&](const std::string& line) { return columns_of(line) < columns; }));
    }
}

TEST_CASE("on a narrow terminal the name gives way, what it does stays") {
  Told told;
  told(event::RunStarted{});
  const std::string name = "a-name-that-is-much-too-long.example.com";
  told(plan_of({name})).start(name, Stage::copy).after(5s);
  CHECK(told.lines(40) == Lines{" a-name-that-is-much-too\xe2\x80\xa6  copying  5 s"});
  told(event::StageProgress{5'000'000, 10'000'000}, {name, "system", Stage::copy, 0});
  CHECK(told.lines(40) == Lines{" a-name-that-is-muc\xe2\x80\xa6  copying 50 %  5 s"});
  CHECK(told.lines(24) == Lines{" a-name-\xe2\x80\xa6  copying  5 s"});
  CHECK(told.lines(16) == Lines{" a-na\xe2\x80\xa6  copying"});
  told.start(name, Stage::rollback).after(5s);
  CHECK(told.lines(17) == Lines{" a-name-that-is\xe2\x80\xa6"});
}

TEST_CASE("names from anywhere take the columns that they take and turn nothing round") {
  Told told;
  const std::string wide = "\xe6\x9c\x8d\xe5\x8a\xa1\xe5\x99\xa8"; // three ideographs
  const std::string accent = "e\xcc\x81tat";                       // e and a combining acute
  const std::string turned = "ab\xe2\x80\xae"
                             "cd"; // right-to-left override
  told(plan_of({wide, accent, turned, "plain"}));
  for (const std::string& name : {wide, accent, turned, std::string("plain")})
    told.start(name, Stage::copy);
  const Lines lines = told.lines();
  CHECK(lines[2].starts_with(" abcd "));
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(columns_of(lines[i]) == columns_of(lines[3]));
    CHECK(columns_of(lines[i].substr(0, lines[i].find("system"))) == 11);
  }
}
