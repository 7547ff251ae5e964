// SPDX-License-Identifier: Apache-2.0
#include "reporters/console.h"

#include "engine/base/text.h"
#include "tests/catch.h"
#include "tests/unit/reporters/sample_events.h"

using namespace belay;
using namespace belay::reporters;
using namespace belay::test;
using event::Outcome;
using event::Stage;

namespace {

struct PlainConsole {
  std::vector<std::string> lines;
  FanOut fan_out{[](const std::string& message) { FAIL(message); }};

  PlainConsole() {
    fan_out.add(std::make_unique<ConsoleReporter>(
        [this](const ConsoleLine& line) { lines.push_back(line.text()); }));
  }
  void operator()(event::Payload payload, event::Subject subject = {}, std::string message = "") {
    fan_out.on_event(sample(std::move(payload), std::move(subject), std::move(message)));
  }
  std::size_t count(const std::string& part) const {
    return static_cast<std::size_t>(
        std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
          return line.find(part) != std::string::npos;
        }));
  }
};

const Stage all_stages[] = {Stage::build,    Stage::copy,    Stage::lock,
                            Stage::activate, Stage::confirm, Stage::verify};

void deploy(PlainConsole& console, const std::string& node) {
  for (const Stage stage : all_stages)
    console(stage_end(Outcome::success), {node, "system", stage, 0});
}

} // namespace

TEST_CASE("a node is told when it is verified, and not again when it ends") {
  PlainConsole console;
  console(plan_of({"web-1"}));
  deploy(console, "web-1");
  CHECK(console.count("deployed") == 1);
  console(node_end(Outcome::success), {"web-1", "", {}, 0});
  CHECK(console.count("deployed") == 1);
}

TEST_CASE("of a run that was killed no node is called good before its own end was told") {
  std::vector<std::string> lines;
  ConsoleReporter console([&](const ConsoleLine& line) { lines.push_back(line.text()); },
                          {.only_ended = true});
  event::RunState state;
  const auto tell = [&](event::Payload payload, const event::Subject& subject = {}) {
    const auto told = sample(std::move(payload), subject);
    fold(state, told);
    console.report(told, state);
  };
  tell(plan_of({"web-1", "web-2"}));
  for (const std::string node : {"web-1", "web-2"})
    for (const Stage stage : all_stages)
      tell(stage_end(Outcome::success), {node, "system", stage, 0});
  tell(node_end(Outcome::success), {"web-1", "", {}, 0});
  const auto verdict = judge(state);
  event::RunFinished end;
  end.outcome = verdict.outcome;
  end.exit_code = verdict.exit_code;
  end.counts = verdict.counts;
  console.report(sample(std::move(end)), state);
  const std::string text = join(lines, "\n");
  INFO(text);
  const auto has = [&](const std::string& part) { return text.find(part) != std::string::npos; };
  CHECK(std::count_if(lines.begin(), lines.end(),
                      [](const std::string& line) { return line.ends_with("deployed"); }) == 1);
  CHECK(has("CUT OFF   the events end before the run does"));
  CHECK(has("1 deployed, 1 failed"));
  CHECK(has("exit 12 (state-unknown)"));
  CHECK(has(" web-2/system  the run ended without a word about it; its state is not known"));
  CHECK_FALSE(has(" web-1/system  "));
}

TEST_CASE("a node that is taken back later gets a second line") {
  PlainConsole console;
  console(plan_of({"web-1"}));
  deploy(console, "web-1");
  console(event::NodeRolledBack{2, 1, event::RollbackTrigger::run_failed, true},
          {"web-1", "system", {}, 0});
  console(node_end(Outcome::failure, "rolled-back"), {"web-1", "", {}, 0}, "db-1 failed");
  CHECK(console.count("deployed") == 1);
  CHECK(console.count("ROLLED BACK") == 1);
}

TEST_CASE("a failure before activation is told at once, one that may roll back when it has") {
  PlainConsole console;
  console(plan_of({"web-1", "db-1"}));
  console(stage_end(Outcome::error, "unreachable"), {"web-1", "system", Stage::copy, 0},
          "no route to host");
  CHECK(console.count("UNREACHABLE  no route to host") == 1);
  console(stage_end(Outcome::failure, "activation-failed"), {"db-1", "system", Stage::activate, 0},
          "exited 4");
  CHECK(console.count("exited 4") == 0);
  console(event::NodeRolledBack{2, 1, event::RollbackTrigger::activation, true},
          {"db-1", "system", {}, 0});
  CHECK(console.count("ROLLED BACK  exited 4") == 1);
}

TEST_CASE("warnings are told: retries, what a stage found, logs of that level") {
  PlainConsole console;
  console(plan_of({"web-1"}));
  auto lock = stage_end(Outcome::success);
  lock.details = {{"drift", "a ran, not b"}, {"detach", "systemd"}};
  console(lock, {"web-1", "system", Stage::lock, 0});
  console(event::StageRetrying{1, 3, {}, "unreachable"}, {"web-1", "system", Stage::copy, 0},
          "web-1/system copy failed, again in 1 s");
  REQUIRE(console.lines.size() == 3);
  CHECK(console.lines[1] == " warning: web-1/system: drift: a ran, not b");
  CHECK(console.lines[2] == " warning: web-1/system copy failed, again in 1 s");
}

TEST_CASE("what goes on is a line each, and no part of what a failure shows") {
  PlainConsole console;
  console(event::LogLine{"progress", "checking .", {}, true}, {"", "", Stage::check, 0});
  console(event::LogLine{"nix", "copying path", {}, true}, {"", "", Stage::check, 0});
  console(event::LogLine{"progress", "building linux-6.1 for 3m 2s", {}, true},
          {"", "", Stage::build, 0});
  REQUIRE(console.lines.size() == 2);
  CHECK(console.lines[0].starts_with(" check"));
  CHECK(console.lines[0].find("  checking .") != std::string::npos);
  CHECK(console.lines[1].find("  building linux-6.1 for 3m 2s") != std::string::npos);
  CHECK(console.fan_out.state().check_log == "copying path\n");
  CHECK(console.fan_out.state().build_log.empty());
}

TEST_CASE("what was not done says why in words, and what was stopped says where") {
  PlainConsole console;
  console(plan_of({"late", "early", "waiting"}));
  console(node_end(Outcome::skipped, "fail-fast"), {"late", "", {}, 0});
  CHECK(console.count("skipped  another node failed first") == 1);
  console(stage_end(Outcome::cancelled, "cancelled"), {"early", "system", Stage::build, 0},
          "looking into the store was cancelled");
  console(node_end(Outcome::cancelled, "cancelled"), {"early", "", {}, 0});
  CHECK(console.count("cancelled  during build") == 1);
  console(stage_end(Outcome::success), {"waiting", "system", Stage::build, 0});
  console(node_end(Outcome::cancelled, "cancelled"), {"waiting", "", {}, 0},
          "cancelled: cancelled");
  CHECK(console.count("cancelled  before copy") == 1);
}

TEST_CASE("a host is named once, and a failure's log does not begin with what stands above it") {
  PlainConsole console;
  console(plan_of({"gone", "bad"}));
  console(stage_end(Outcome::error, "unreachable"), {"gone", "system", Stage::copy, 0},
          "gone (root@10.0.0.9:22): no route to it");
  console(node_end(Outcome::error, "unreachable"), {"gone", "", {}, 0});
  CHECK(console.count("UNREACHABLE  root@10.0.0.9:22: no route to it") == 1);
  console(event::LogLine{"build", "builder failed\ncc: no input files", {}, true},
          {"bad", "system", Stage::build, 0});
  console(stage_end(Outcome::failure, "build-failed"), {"bad", "system", Stage::build, 0},
          "builder failed");
  console(node_end(Outcome::failure, "build-failed"), {"bad", "", {}, 0});
  console(event::RunFinished{});
  CHECK(console.count("builder failed") == 2); // at once, and at the end
  CHECK(console.count("   | cc: no input files") == 1);
}

TEST_CASE("a rollback that was not verified is not called one") {
  PlainConsole console;
  console(plan_of({"db-1"}));
  console(stage_end(Outcome::error, "rollback-failed"), {"db-1", "system", Stage::activate, 0},
          "the link is gone");
  console(event::NodeRolledBack{2, 1, event::RollbackTrigger::activation, false},
          {"db-1", "system", {}, 0});
  CHECK(console.count("ROLLBACK FAILED") == 1);
  CHECK(console.count("ROLLED BACK") == 0);
}

namespace {

event::PlanResolved plan_in(event::Mode mode) {
  auto plan = plan_of({"web-1"});
  plan.mode = mode;
  plan.nodes[0].profiles[0].stages = {Stage::build, Stage::copy, Stage::lock, Stage::activate};
  return plan;
}

void end_well(PlainConsole& console) {
  for (const Stage stage : {Stage::build, Stage::copy, Stage::lock, Stage::activate})
    console(stage_end(Outcome::success), {"web-1", "system", stage, 0});
  console(node_end(Outcome::success), {"web-1", "", {}, 0});
  event::RunFinished finished;
  finished.counts.success = 1;
  console(finished);
}

} // namespace

TEST_CASE("a dry run is called one, and shows what its script printed") {
  PlainConsole console;
  console(plan_in(event::Mode::dry_activate));
  std::string output;
  for (int line = 0; line < 100; ++line)
    output += "would restart unit-" + std::to_string(line) + ".service\n";
  console(event::LogLine{"activation", output, {}, true}, {"web-1", "system", Stage::activate, 0});
  end_well(console);
  CHECK(console.count("deployed") == 0);
  CHECK(console.count("   dry run") == 1);
  CHECK(console.count("| would restart unit-") == 100);
  CHECK(console.count("OK   1 dry run") == 1);
}

TEST_CASE("what is only booted next is not called deployed") {
  PlainConsole console;
  console(plan_in(event::Mode::boot));
  end_well(console);
  CHECK(console.count("deployed") == 0);
  CHECK(console.count("   activated for next boot") == 1);
  CHECK(console.count("OK   1 activated for next boot") == 1);
}

TEST_CASE("the last twenty lines of a failed stage come at the end") {
  PlainConsole console;
  console(plan_of({"db-1"}));
  for (int i = 1; i <= 30; ++i)
    console(event::LogLine{"activation", "step " + std::to_string(i), {}, true},
            {"db-1", "system", Stage::activate, 0});
  console(stage_end(Outcome::failure, "activation-failed"), {"db-1", "system", Stage::activate, 0},
          "exited 4");
  console(node_end(Outcome::failure, "activation-failed"), {"db-1", "", {}, 0}, "exited 4");
  event::RunFinished end;
  end.outcome = Outcome::failure;
  end.exit_code = 10;
  console(end);
  CHECK(console.count("   | step ") == 20);
  CHECK(console.count("   | step 11") == 1);
  CHECK(console.count("   | step 10") == 0);
  CHECK(console.count("exit 10 (failed)") == 1);
}

TEST_CASE("a failed evaluation is shown with its log") {
  PlainConsole console;
  console(event::LogLine{"nix", "error: attribute 'deploy' missing", {}, true},
          {"", "", Stage::evaluate, 0});
  console(event::EvaluateFinished{Outcome::failure, {}, "nix eval exited with 1"});
  event::RunFinished end;
  end.outcome = Outcome::failure;
  end.exit_code = 20;
  console(end);
  CHECK(console.count(" evaluate  nix eval exited with 1") == 1);
  CHECK(console.count("   | error: attribute 'deploy' missing") == 1);
}

TEST_CASE("a check that failed is named where it ended and again with its log at the end") {
  PlainConsole console;
  const event::Subject checks{"", "", Stage::check, 0};
  console(event::CheckFinished{"a", Outcome::success, Duration(1200), {}, ""}, checks);
  console(event::LogLine{"nix", "hostname is missing", {}, true}, checks);
  console(event::CheckFinished{"b", Outcome::failure, {}, {"checks.x.schema"}, "exit code 1"},
          checks);
  event::RunFinished end;
  end.outcome = Outcome::failure;
  end.exit_code = 20;
  console(end);
  REQUIRE(console.lines.size() >= 2);
  CHECK(console.lines[0].starts_with(" check     a "));
  CHECK(console.lines[0].ends_with("1.2 s"));
  CHECK(console.lines[1].find("b: checks.x.schema") != std::string::npos);
  CHECK(console.lines[1].ends_with("FAILED"));
  CHECK(console.count(" check  checks.x.schema of b: exit code 1") == 1);
  CHECK(console.count("   | hostname is missing") == 1);
}

TEST_CASE("diagnostics have the form that editors know, whoever put it together") {
  PlainConsole console;
  event::DiagnosticFound found;
  found.code = "unknown-key";
  found.file = "belay.yaml";
  found.line = 2;
  found.column = 1;
  found.hint = "did you mean \"parallel\"?";
  console(found, {}, "unknown key \"paralel\"");
  console(found, {}, "belay.yaml:2:1: error: unknown key \"paralel\"; did you mean \"parallel\"?");
  REQUIRE(console.lines.size() == 2);
  CHECK(console.lines[0] ==
        "belay.yaml:2:1: error: unknown key \"paralel\"; did you mean \"parallel\"?");
  CHECK(console.lines[1] == console.lines[0]);
}

TEST_CASE("nothing from outside reaches the terminal or the CI as a command") {
  PlainConsole console;
  console(plan_of({"::error::x"}));
  console(stage_end(Outcome::error, "unreachable"), {"::error::x", "system", Stage::copy, 0},
          "\x1b[2Jgone ##[error]boo\x07");
  REQUIRE(console.lines.size() == 2);
  CHECK(console.lines[1].find("::error::x") == std::string::npos);
  CHECK(console.lines[1].find("##[") == std::string::npos);
  CHECK(console.lines[1].find('\x1b') == std::string::npos);
  CHECK(console.lines[1].find('\x07') == std::string::npos);
}
