// SPDX-License-Identifier: Apache-2.0
#include "reporters/junit.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "reporters/junit_model.h"
#include "reporters/xml_text.h"
#include "tests/catch.h"
#include "tests/unit/reporters/sample_events.h"

#include <cstdlib>
#include <random>

using namespace belay;
using namespace belay::reporters;
using namespace belay::test;
using namespace std::chrono_literals;
using event::Outcome;
using event::Stage;
using Status = JunitCase::Status;

namespace {

const JunitCase& find_case(const std::vector<JunitSuite>& suites, const std::string& suite,
                           const std::string& name) {
  for (const JunitSuite& s : suites)
    if (s.name == suite)
      for (const JunitCase& c : s.cases)
        if (c.name == name)
          return c;
  FAIL("no case " << name << " in " << suite);
  return suites.at(0).cases.at(0);
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t number = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++number;
  return number;
}

event::Subject at(const std::string& node, Stage stage) {
  return {node, "system", stage, 0};
}

bool has_xmllint() {
  return std::system("xmllint --version >/dev/null 2>&1") == 0;
}

int xmllint(const std::filesystem::path& file) {
  return std::system(("xmllint --noout --huge '" + file.string() + "' 2>&1").c_str());
}

std::string random_bytes(std::mt19937& engine) {
  std::string text(std::uniform_int_distribution<std::size_t>(0, 60)(engine), '\0');
  for (char& c : text)
    c = static_cast<char>(std::uniform_int_distribution<int>(0, 255)(engine));
  return text;
}

} // namespace

TEST_CASE("a run about which nothing is known is no green report") {
  const auto suites = junit_suites({});
  REQUIRE(suites.size() == 1);
  CHECK(suites[0].count(Status::passed) == 0);
  CHECK(suites[0].cases.size() == 2);
}

TEST_CASE("a rolled back profile is red in the stage that caused it") {
  const auto rolled_back =
      sample(event::NodeRolledBack{18, 17, event::RollbackTrigger::confirm_timeout, true},
             {"web-1", "system", {}, 0});
  SECTION("its own") {
    const auto suites = junit_suites(folded(
        {sample(plan_of({"web-1"})), sample(event::StageStarted{}, at("web-1", Stage::confirm)),
         sample(stage_end(Outcome::failure, "confirm-timeout"), at("web-1", Stage::confirm),
                "nobody confirmed"),
         rolled_back}));
    const JunitCase& confirm = find_case(suites, "web-1", "system: confirm");
    CHECK(confirm.status == Status::failure);
    CHECK(confirm.type == "rolled-back");
    CHECK(confirm.message == "nobody confirmed");
    CHECK(confirm.body.find("generation 17 is back") != std::string::npos);
  }
  SECTION("revoked because of another one: no stage of its own was bad") {
    event::RunState state = folded({sample(plan_of({"web-1"}))});
    for (const Stage stage : {Stage::build, Stage::copy, Stage::lock, Stage::activate,
                              Stage::confirm, Stage::verify, Stage::rollback})
      event::fold(state, sample(stage_end(Outcome::success), at("web-1", stage)));
    event::fold(state, rolled_back);
    event::fold(state, sample(node_end(Outcome::failure, "rolled-back"), {"web-1", "", {}, 0}));
    const auto suites = junit_suites(state);
    CHECK(find_case(suites, "web-1", "system: verify").type == "rolled-back");
    CHECK(suites[1].count(Status::failure) == 1);
    CHECK(suites[1].cases.size() == 6); // and no green "rollback"
  }
}

TEST_CASE("a rollback that failed has a case of its own") {
  auto finished = node_end(Outcome::error, "rollback-failed");
  finished.rollback = event::Rollback::failed;
  const auto suites = junit_suites(folded(
      {sample(plan_of({"web-1"})), sample(event::StageStarted{}, at("web-1", Stage::activate)),
       sample(stage_end(Outcome::error, "rollback-failed"), at("web-1", Stage::activate), "stuck"),
       sample(finished, {"web-1", "", {}, 0}, "stuck")}));
  CHECK(find_case(suites, "web-1", "system: activate").status == Status::error);
  CHECK(find_case(suites, "web-1", "system: rollback").type == "rollback-failed");
  CHECK(find_case(suites, "web-1", "system: rollback").status == Status::error);
}

TEST_CASE("what ended without a word is never green") {
  event::RunState state = folded({sample(plan_of({"web-1", "db-1", "mail-1"})),
                                  sample(event::StageStarted{}, at("web-1", Stage::activate)),
                                  sample(node_end(Outcome::success), {"mail-1", "", {}, 0})});
  SECTION("while the run goes on") {
    const auto suites = junit_suites(state);
    CHECK(find_case(suites, "web-1", "system: activate").status == Status::error);
    CHECK(find_case(suites, "db-1", "system: activate").status == Status::skipped);
  }
  SECTION("when it is over") {
    event::RunFinished end;
    end.exit_code = 12;
    event::fold(state, sample(end));
    const auto suites = junit_suites(state);
    CHECK(find_case(suites, "web-1", "system: activate").type == "state-unknown");
    CHECK(suites[2].count(Status::error) == 1);  // db-1: announced, never heard of again
    CHECK(suites[3].count(Status::passed) == 0); // mail-1: called good, but by none of its stages
    CHECK(suites[3].count(Status::error) > 0);
  }
}

TEST_CASE("a node is not green before it has ended, whatever its stages say") {
  const auto plan = plan_of({"web-1"});
  event::RunState state = folded({sample(plan)});
  for (const Stage stage : plan.nodes[0].profiles[0].stages) {
    event::fold(state, sample(event::StageStarted{}, at("web-1", stage)));
    event::fold(state, sample(event::StageFinished{}, at("web-1", stage)));
    const auto suite = junit_suites(state)[1];
    CHECK(suite.count(Status::passed) < static_cast<int>(suite.cases.size()));
  }
  CHECK(find_case(junit_suites(state), "web-1", "node").message ==
        "not finished when this report was written");
  event::fold(state, sample(node_end(Outcome::success), {"web-1", "", {}, 0}));
  CHECK(junit_suites(state)[1].count(Status::error) == 0);
}

TEST_CASE("a node that failed without a bad stage, and one without stages, are red") {
  const auto suites = junit_suites(
      folded({sample(plan_of({"web-1"})),
              sample(node_end(Outcome::failure, "verify-failed"), {"web-1", "", {}, 0}, "wrong"),
              sample(node_end(Outcome::error, "internal"), {"odd", "", {}, 0}, "boom")}));
  CHECK(find_case(suites, "web-1", "node").type == "verify-failed");
  CHECK(find_case(suites, "odd", "node").message == "boom");
}

TEST_CASE("a bad end that no node tells is told by the plan's suite") {
  event::RunFinished end;
  end.exit_code = 4;
  end.reason = "nothing-selected";
  const auto suites = junit_suites(
      folded({sample(event::EvaluateFinished{}), sample(event::PlanResolved{}), sample(end)}));
  CHECK(find_case(suites, "(plan)", "run").type == "nothing-selected");
}

TEST_CASE("the checks of a flake are cases of the plan") {
  const event::Subject checks{"", "", Stage::check, 0};
  const auto begun = sample(event::StageStarted{}, checks);
  event::CheckFinished bad{
      "b", Outcome::failure, Duration(1500), {"checks.x.a", "checks.x.b"}, "no\nlog"};
  event::RunStarted started;
  started.flakes = {"a", "b"};
  const auto suites = junit_suites(folded(
      {sample(started), begun,
       sample(event::CheckFinished{"a", Outcome::success, {}, {}, ""}, checks), begun,
       sample(event::LogLine{"nix", "looking", {}, true}, checks), sample(bad, checks), begun}));
  CHECK(find_case(suites, "(plan)", "check a").status == Status::passed);
  const JunitCase& failed = find_case(suites, "(plan)", "check b");
  CHECK(failed.status == Status::failure);
  CHECK(failed.type == "check-failed");
  CHECK(failed.message.starts_with("checks.x.a, checks.x.b: no"));
  CHECK(failed.seconds == 1.5);
  CHECK(failed.log == "looking\n");
  CHECK(find_case(suites, "(plan)", "check, not finished").status == Status::error);
  started.flakes = {"a"};
  event::CheckFinished cancelled{"a", Outcome::cancelled, {}, {}, ""};
  const auto alone = junit_suites(folded({sample(started), sample(cancelled, checks)}));
  CHECK(find_case(alone, "(plan)", "check").type == "cancelled");
  CHECK(find_case(alone, "(plan)", "check").status == Status::error);
}

TEST_CASE("attempts are told as flaky or as reruns, never as further cases") {
  const auto retried = sample(event::StageRetrying{1, 3, Duration(10), "unreachable"},
                              at("web-1", Stage::copy), "no route");
  const auto good = folded({sample(plan_of({"web-1"})), retried,
                            sample(stage_end(Outcome::success), at("web-1", Stage::copy))});
  CHECK(count(junit_xml(good),
              "<flakyFailure type=\"unreachable\" message=\"no route\"><stackTrace>no route"
              "</stackTrace></flakyFailure>") == 1);
  const auto bad = folded(
      {sample(plan_of({"web-1"})), retried, sample(event::StageStarted{}, at("web-1", Stage::copy)),
       sample(stage_end(Outcome::error, "unreachable"), at("web-1", Stage::copy), "still no")});
  CHECK(count(junit_xml(bad), "<rerunFailure ") == 1);
  CHECK(count(junit_xml(bad), "<error type=\"unreachable\" message=\"still no\">still no") == 1);
}

TEST_CASE("messages are short, bodies never empty") {
  const auto state = folded(
      {sample(plan_of({"web-1"})), sample(event::StageStarted{}, at("web-1", Stage::copy)),
       sample(stage_end(Outcome::error, ""), at("web-1", Stage::copy), std::string(5000, 'm'))});
  const auto suites = junit_suites(state);
  CHECK(find_case(suites, "web-1", "system: copy").type == "internal");
  const std::string xml = junit_xml(state);
  CHECK(count(xml, "message=\"" + std::string(199, 'm') + "\xe2\x80\xa6\"") == 1);
  CHECK(count(xml, ">" + std::string(5000, 'm') + "<") == 1);
}

TEST_CASE("dots in names do not make packages, and equal names stay apart") {
  event::RunStarted started;
  started.environment = "eu.west";
  const auto suites = junit_suites(
      folded({sample(started), sample(plan_of({"web.example.com", "web_example.com"}))}));
  CHECK(suites[1].cases[0].class_name == "belay.eu_west.web_example_com");
  CHECK(suites[2].cases[0].class_name == "belay.eu_west.web_example_com_2");
  CHECK(suites[1].name == "web.example.com");
}

TEST_CASE("XML text has only what XML allows") {
  CHECK(xml_text("a\x1b[31mb\x01\x08<&>]]>") == "ab&lt;&amp;&gt;]]&gt;");
  CHECK(xml_attribute("\"a\"\n\tb") == "&quot;a&quot;&#10;&#9;b");
  CHECK(xml_text("\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbd") == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  CHECK(xml_text("\xed\xa0\x80") == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST_CASE("no bytes whatsoever break the report") {
  const TemporaryDirectory folder("/tmp/belay-junit-");
  std::mt19937 engine(20260301);
  event::RunStarted started;
  started.environment = random_bytes(engine);
  event::RunState state = folded({sample(started)});
  for (int i = 0; i < 300; ++i) {
    const event::Subject subject{random_bytes(engine), random_bytes(engine), Stage::copy, 0};
    event::fold(state, sample(event::StageStarted{}, subject));
    event::fold(state, sample(event::StageRetrying{1, 2, {}, random_bytes(engine)}, subject,
                              random_bytes(engine)));
    event::fold(state, sample(event::LogLine{"nix", random_bytes(engine), {}, true}, subject));
    event::fold(state, sample(stage_end(Outcome::error, random_bytes(engine)), subject,
                              random_bytes(engine)));
  }
  replace_file(folder.path() / "report.xml", junit_xml(state));
  if (has_xmllint())
    CHECK(xmllint(folder.path() / "report.xml") == 0);
  else
    WARN("no xmllint here: not checked");
}

TEST_CASE("logs give way before the report grows past what readers take") {
  event::RunState state;
  for (int i = 0; i < 150; ++i) {
    const std::string node = "node" + std::to_string(i);
    event::fold(state, sample(event::LogLine{"nix", std::string(60'000, '<'), {}, true},
                              at(node, Stage::copy)));
    event::fold(state, sample(event::StageStarted{}, at(node, Stage::copy)));
    event::fold(state, sample(stage_end(Outcome::error, "copy-failed"), at(node, Stage::copy)));
  }
  const std::string xml = junit_xml(state);
  CHECK(xml.size() <= junit_limit);
  CHECK(xml.size() > 500'000);
  CHECK(count(xml, "<error ") == 150);
}

TEST_CASE("the report is on disk after every node and at the end") {
  const TemporaryDirectory folder("/tmp/belay-junit-");
  const auto path = folder.path() / "reports/TEST-belay.xml";
  event::RunState state;
  JunitReporter reporter(path);
  const auto tell = [&](const event::Event& event) {
    event::fold(state, event);
    reporter.report(event, state);
  };
  const auto now = [&] { return read_file(path, 1 << 20); };
  CHECK(count(now(), "<testsuite ") == 1);
  tell(sample(plan_of({"web-1", "db-1"})));
  CHECK(count(now(), "<testsuite ") == 1);
  tell(sample(node_end(Outcome::skipped, "fail-fast"), {"web-1", "", {}, 0}));
  CHECK(count(now(), "<testsuite ") == 3);
  CHECK(count(now(), "not reached when this report was written") > 0);
  event::RunFinished end;
  end.exit_code = 12;
  tell(sample(end));
  CHECK(count(now(), "not reached when this report was written") == 0);
  CHECK(std::distance(std::filesystem::directory_iterator(path.parent_path()), {}) == 1);
}

TEST_CASE("a report of many nodes is not written again for each, and is whole at the end") {
  const TemporaryDirectory folder("/tmp/belay-junit-");
  const auto path = folder.path() / "junit.xml";
  event::RunState state;
  JunitReporter reporter(path);
  const auto tell = [&](event::Event event, Duration after) {
    event.time += after;
    event::fold(state, event);
    reporter.report(event, state);
    return count(read_file(path, 1 << 22), "not reached when this report was written");
  };
  std::vector<std::string> names;
  for (int i = 0; i < 500; ++i)
    names.push_back("web-" + std::to_string(i));
  const auto end_of = [&](std::size_t i) {
    return sample(node_end(Outcome::skipped, "fail-fast"), {names[i], "", {}, 0});
  };
  event::PlanResolved plan = plan_of({});
  for (const std::string& name : names)
    plan.nodes.push_back(plan_of({name}).nodes.at(0));
  tell(sample(plan), 0s);
  const auto first = tell(end_of(0), 0s);
  CHECK(tell(end_of(1), 1ms) == first);
  const auto caught_up = tell(sample(event::Heartbeat{}), 1min);
  CHECK(caught_up < first);
  CHECK(tell(end_of(2), -1h) < caught_up); // the clock was set back
  CHECK(tell(sample(event::RunFinished{}), 1min) == 0);
}

TEST_CASE("a write that fails for a moment costs nothing, the last one's failure is an error") {
  const TemporaryDirectory folder("/tmp/belay-junit-");
  const auto path = folder.path() / "junit.xml";
  std::vector<std::string> problems;
  FanOut fan_out([&](const std::string& message) { problems.push_back(message); });
  fan_out.add(std::make_unique<JunitReporter>(path));
  fan_out.on_event(sample(plan_of({"web-1", "db-1"})));
  const auto fail_node = [&](const std::string& node) {
    fan_out.on_event(sample(node_end(Outcome::failure, "verify-failed"), {node, "", {}, 0}, "bad"));
  };
  const auto in_the_way = [&] { // no rename replaces a folder
    std::filesystem::remove(path);
    std::filesystem::create_directory(path);
  };
  in_the_way();
  fail_node("web-1");
  std::filesystem::remove(path);
  SECTION("at the next node everything is there") {
    fail_node("db-1");
    CHECK(count(read_file(path, 1 << 20), "type=\"verify-failed\"") == 2);
    fan_out.on_event(sample(event::RunFinished{}));
    CHECK(problems.empty());
  }
  SECTION("at the end it has to be there") {
    in_the_way();
    fan_out.on_event(sample(event::RunFinished{}));
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].find("junit.xml") != std::string::npos);
  }
}

TEST_CASE("a report that cannot be written is a usage error before the run") {
  try {
    JunitReporter reporter("/dev/null/report.xml");
    FAIL("was accepted");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
  }
}
