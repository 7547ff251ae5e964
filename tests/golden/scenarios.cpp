// SPDX-License-Identifier: Apache-2.0
#include "tests/golden/scenarios.h"

#include "tests/golden/teller.h"

namespace belay::golden {

namespace {

using event::NodeFinished;
using event::NodeRolledBack;
using event::Outcome;
using event::Rollback;
using event::RollbackTrigger;
using event::Stage;
using event::StageFinished;

const std::vector<Stage> after_build{Stage::copy, Stage::lock, Stage::activate, Stage::confirm,
                                     Stage::verify};
const std::vector<Stage> after_lock{Stage::activate, Stage::confirm, Stage::verify};
const std::vector<Stage> after_activate{Stage::confirm, Stage::verify};

StageFinished ending(Outcome outcome, std::string_view reason) {
  StageFinished data;
  data.outcome = outcome;
  data.reason = reason;
  return data;
}

NodeFinished node_ending(Outcome outcome, std::string_view reason, int seconds = 0) {
  NodeFinished data;
  data.outcome = outcome;
  data.reason = reason;
  data.duration = std::chrono::seconds(seconds);
  return data;
}

NodeFinished deployed(int generation, int seconds) {
  NodeFinished data = node_ending(Outcome::success, "", seconds);
  data.changed = true;
  data.generation_after = generation;
  return data;
}

/// Two nodes, one with two profiles, one unchanged; a copy that needed two attempts.
std::vector<event::Event> all_good() {
  Teller run;
  run.begin({planned("web-1", "web-1.internal", {"system"}),
             planned("db-1", "db-1.internal", {"system", "app"})},
            "stop");
  run.node("web-1").node("db-1").start("web-1", "system", Stage::copy).after(300);
  run.tell(event::StageRetrying{1, 3, Duration(1000), "unreachable"},
           {"web-1", "system", Stage::copy, 1}, "", event::Level::warn);
  run.after(1000).copied("web-1", "system", 41).copied("db-1", "system", 17);
  run.copied("db-1", "app", 3).deployed("web-1", "system", 42).deployed("db-1", "system", 18);
  StageFinished unchanged;
  unchanged.changed = false;
  unchanged.exit_status = 0;
  unchanged.generation_after = 3;
  run.good("db-1", "app", Stage::activate, 700, unchanged);
  run.good("db-1", "app", Stage::confirm, 210).good("db-1", "app", Stage::verify, 60);
  run.ended("web-1", deployed(42, 6)).ended("db-1", deployed(3, 9)).end();
  return run.take();
}

/// `stop`: the second node's activation fails, the first is taken back, the third never starts.
std::vector<event::Event> one_rolled_back() {
  Teller run;
  run.begin({planned("web-1", "web-1.internal", {"system"}),
             planned("db-1", "db-1.internal", {"system"}),
             planned("mail-1", "mail-1.internal", {"system"})},
            "stop");
  for (const char* node : {"web-1", "db-1", "mail-1"})
    run.node(node).copied(node, "system", 17);
  run.deployed("web-1", "system", 18).start("db-1", "system", Stage::activate);
  for (int line = 1; line <= 24; ++line)
    run.log("db-1", "system", Stage::activate, "setting up unit " + std::to_string(line));
  run.log("db-1", "system", Stage::activate, "starting postgresql.service ... failed");
  StageFinished failed = ending(Outcome::failure, event::reasons::activation_failed);
  failed.exit_status = 4;
  run.bad("db-1", "system", Stage::activate, 2100, failed, "activation exited 4");
  run.tell(NodeRolledBack{18, 17, RollbackTrigger::activation, true}, {"db-1", "system", {}, 0});
  run.skip("db-1", "system", after_activate).after(50);
  run.start("web-1", "system", Stage::rollback).after(1300);
  run.tell(NodeRolledBack{18, 17, RollbackTrigger::run_failed, true}, {"web-1", "system", {}, 0});
  run.tell(StageFinished{}, {"web-1", "system", Stage::rollback, 0});

  NodeFinished broken = node_ending(Outcome::failure, event::reasons::activation_failed, 5);
  broken.rollback = Rollback::succeeded;
  broken.generation_after = 17;
  run.ended("db-1", broken, "activation exited 4");
  NodeFinished revoked = node_ending(Outcome::failure, event::reasons::rolled_back, 7);
  revoked.rollback = Rollback::succeeded;
  revoked.generation_after = 17;
  run.ended("web-1", revoked, "rolled back because db-1 failed");
  run.ended("mail-1", node_ending(Outcome::skipped, event::reasons::fail_fast));
  run.end();
  return run.take();
}

std::vector<event::Event> unreachable() {
  Teller run;
  run.begin({planned("web-1", "web-1.internal", {"system"}),
             planned("db-1", "db-1.internal", {"system"})},
            "continue");
  run.node("web-1").node("db-1").start("db-1", "system", Stage::copy);
  run.tell(event::LogLine{"ssh", "connect to 192.0.2.7 port 22: no route to host", {}, true},
           {"db-1", "system", Stage::copy, 0});
  run.bad("db-1", "system", Stage::copy, 5000, ending(Outcome::error, "unreachable"),
          "db-1: no route to host (192.0.2.7 port 22 as deploy)");
  run.skip("db-1", "system", {Stage::lock, Stage::activate, Stage::confirm, Stage::verify});
  run.ended("db-1", node_ending(Outcome::error, "unreachable", 5),
            "db-1: no route to host (192.0.2.7 port 22 as deploy)");
  run.copied("web-1", "system", 41).deployed("web-1", "system", 42).ended("web-1", deployed(42, 9));
  run.end();
  return run.take();
}

std::vector<event::Event> plan_error() {
  using Severity = event::DiagnosticFound::Severity;
  Teller run;
  run.started("", "stop").after(30);
  run.tell(event::DiagnosticFound{Severity::error, "unknown-key", "belay.yaml", 2, 1,
                                  "did you mean \"parallel\"?"},
           {}, "unknown key \"paralel\"", event::Level::error);
  run.tell(event::DiagnosticFound{Severity::error, "wrong-type", "belay.yaml", 4, 12, ""}, {},
           "confirmTimeout takes a number of seconds", event::Level::error);
  run.tell(event::DiagnosticFound{Severity::error, "unknown-node", "belay.yaml", 6, 3, ""}, {},
           "the flake has no node \"web-9\"", event::Level::error);
  run.end();
  return run.take();
}

/// SIGTERM: one node is done, one is left to its target, one never started.
std::vector<event::Event> cancelled() {
  Teller run;
  run.begin({planned("web-1", "web-1.internal", {"system"}),
             planned("db-1", "db-1.internal", {"system", "app"}),
             planned("mail-1", "mail-1.internal", {"system"})},
            "continue");
  run.node("web-1").node("db-1").copied("web-1", "system", 41).deployed("web-1", "system", 42);
  run.ended("web-1", deployed(42, 4)).copied("db-1", "system", 17).copied("db-1", "app", 3);
  run.start("db-1", "system", Stage::activate).after(500);
  run.log("db-1", "system", Stage::activate, "stopping postgresql.service");
  run.tell(event::CancelRequested{"signal", "SIGTERM", "grace 6 s"}, {}, "", event::Level::warn);
  run.bad("db-1", "system", Stage::activate, 6000,
          ending(Outcome::cancelled, event::reasons::left_to_target),
          "left to the target, which rolls back by itself");
  run.skip("db-1", "system", after_activate).skip("db-1", "app", after_lock);
  NodeFinished left = node_ending(Outcome::cancelled, event::reasons::left_to_target, 7);
  left.decides_by = "2026-03-01T12:04:30.000Z";
  run.ended("db-1", left, "left to the target, which rolls back by itself");
  run.skip("mail-1", "system", after_build);
  run.ended("mail-1", node_ending(Outcome::cancelled, "cancelled"), "cancelled before it started");
  run.end();
  return run.take();
}

std::vector<event::Event> state_unknown() {
  Teller run;
  run.begin({planned("web-1", "web-1.internal", {"system"}),
             planned("db-1", "db-1.internal", {"system"})},
            "continue");
  run.node("web-1").node("db-1").copied("web-1", "system", 41).copied("db-1", "system", 17);
  StageFinished activated;
  activated.changed = true;
  activated.exit_status = 0;
  activated.generation_after = 42;
  run.good("web-1", "system", Stage::activate, 2000, activated);
  run.log("web-1", "system", Stage::activate, "restarting network.target");
  run.start("web-1", "system", Stage::confirm);
  run.tell(event::Heartbeat{{"web-1"}}, {}, "", event::Level::debug);
  run.tell(event::LogLine{"ssh", "not confirmed yet: no route to host", {}, true},
           {"web-1", "system", Stage::confirm, 0}, "", event::Level::warn);
  run.bad("web-1", "system", Stage::confirm, 75'000,
          ending(Outcome::error, event::reasons::state_unknown),
          "the target stayed away; nobody knows whether it rolled back");
  run.skip("web-1", "system", {Stage::verify});
  NodeFinished lost = node_ending(Outcome::error, event::reasons::state_unknown, 79);
  lost.rollback = Rollback::unknown;
  run.ended("web-1", lost, "the target stayed away; nobody knows whether it rolled back");
  run.start("db-1", "system", Stage::activate); // and belay was killed: no end
  run.end();
  return run.take();
}

/// Names and texts that want to be something else: markup, terminal control, CI commands, secrets.
std::vector<event::Event> hostile() {
  using namespace std::string_literals;
  Teller run(event::SecretMask({"hunter2-hunter2"}));
  const std::string node = "a.b\x1b[31mred\n<&>\"']]>$(id)";
  const std::string profile = "p\0q;rm -rf /"s;
  run.begin({planned(node, "ho\x9bst\xff", {profile}), planned("web.example.com", "w", {"system"}),
             planned("web_example_com", "w", {"system"})},
            "continue");
  run.node(node).copied(node, profile, 1).start(node, profile, Stage::activate);
  run.log(node, profile, Stage::activate,
          "##[error]not for the CI\n::set-output name=x::y\n\x1b]0;title\x07 ]]> \x00 \xff\xfe "
          "\xed\xa0\x80 \xef\xbf\xbe password=hunter2-\x1b[0mhunter2 <script>&amp;"s);
  StageFinished failed = ending(Outcome::failure, event::reasons::activation_failed);
  failed.exit_status = 1;
  run.bad(node, profile, Stage::activate, 900, failed,
          "exited 1\n::error::injected \x1b[2J\x07 ]]> <b> hunter2-hunter2");
  run.tell(NodeRolledBack{2, std::nullopt, RollbackTrigger::activation, true},
           {node, profile, {}, 0});
  run.skip(node, profile, after_activate);
  NodeFinished broken = node_ending(Outcome::failure, event::reasons::activation_failed, 3);
  broken.rollback = Rollback::succeeded;
  run.ended(node, broken, "");
  for (const char* other : {"web.example.com", "web_example_com"}) {
    run.node(other).copied(other, "system", 1).deployed(other, "system", 2);
    run.ended(other, deployed(2, 4));
  }
  run.end();
  return run.take();
}

} // namespace

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all{
      {"all-good", all_good},       {"one-rolled-back", one_rolled_back},
      {"unreachable", unreachable}, {"plan-error", plan_error},
      {"cancelled", cancelled},     {"state-unknown", state_unknown},
      {"hostile-strings", hostile},
  };
  return all;
}

} // namespace belay::golden
