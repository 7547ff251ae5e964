// SPDX-License-Identifier: Apache-2.0
#include "engine/event/exit_code.h"
#include "engine/event/run_state.h"
#include "tests/catch.h"
#include "tests/unit/event/samples.h"

#include <set>

using namespace belay;
using namespace belay::event;
using test::event_of;

namespace {

/// How far a node came before it ended.
enum class Reached { nothing, copy, activation, lost_activation };

struct NodeCase {
  Outcome outcome = Outcome::success;
  std::string reason;
  Reached reached = Reached::activation;
  Rollback rollback = Rollback::none;
  bool ended = true;
  bool changed = false;
};

/// Keeps the table below short.
NodeCase node(Outcome outcome, std::string reason = "", Reached reached = Reached::activation,
              Rollback rollback = Rollback::none) {
  return {outcome, std::move(reason), reached, rollback, true, false};
}

void play(RunState& state, const std::string& id, const NodeCase& c) {
  const auto stage = [&](Stage which, Outcome outcome, const std::string& reason) {
    fold(state, event_of(StageStarted{}, {id, "system", which, 0}));
    StageFinished data;
    data.outcome = outcome;
    data.reason = reason;
    fold(state, event_of(data, {id, "system", which, 0}));
  };
  const bool activated = c.reached == Reached::activation;
  if (c.reached == Reached::copy)
    stage(Stage::copy, c.outcome, c.reason);
  if (activated)
    stage(Stage::activate, c.outcome, c.reason);
  if (c.reached == Reached::lost_activation)
    fold(state, event_of(StageStarted{}, {id, "system", Stage::activate, 0}));
  if (!c.ended)
    return;
  NodeFinished finished;
  finished.outcome = c.outcome;
  finished.reason = c.reason;
  finished.rollback = c.rollback;
  finished.changed = c.changed;
  fold(state, event_of(finished, {id, "", {}, 0}));
}

RunState run_of(const std::vector<NodeCase>& nodes, const std::string& signal = "") {
  RunState state;
  RunStarted started;
  started.command = "run";
  fold(state, event_of(started));
  fold(state, event_of(EvaluateFinished{}));
  PlanResolved plan;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    plan.nodes.push_back({"n" + std::to_string(i), "h", "t", {{"system", {}, ""}}});
  fold(state, event_of(plan));
  for (std::size_t i = 0; i < nodes.size(); ++i)
    play(state, "n" + std::to_string(i), nodes[i]);
  if (!signal.empty())
    fold(state, event_of(CancelRequested{"signal", signal, ""}));
  return state;
}

const NodeCase good = node(Outcome::success);
const NodeCase back =
    node(Outcome::failure, "activation-failed", Reached::activation, Rollback::succeeded);
const NodeCase left = node(Outcome::failure, "activation-failed");
const NodeCase away = node(Outcome::error, "unreachable", Reached::copy);
const NodeCase lost = node(Outcome::error, "state-unknown", Reached::activation, Rollback::unknown);
const NodeCase unbuilt = node(Outcome::failure, "build-failed", Reached::nothing);
const NodeCase uncopied = node(Outcome::error, "copy-failed", Reached::copy);
const NodeCase unevaluated = node(Outcome::failure, "evaluation-failed", Reached::nothing);
const NodeCase locked = node(Outcome::error, "lock-held", Reached::copy);
const NodeCase refused = node(Outcome::error, "authentication-failed", Reached::copy);
const NodeCase stopped = node(Outcome::skipped, "fail-fast", Reached::nothing);
const NodeCase planned_out = node(Outcome::skipped, "skipped-by-plan", Reached::nothing);
const NodeCase cancelled = node(Outcome::cancelled, "cancelled", Reached::nothing);
const NodeCase to_target = node(Outcome::cancelled, "left-to-target", Reached::activation);

struct Row {
  const char* what;
  std::vector<NodeCase> nodes;
  std::string signal;
  int code;
  Outcome outcome;
};

} // namespace

TEST_CASE("the verdict of nodes") {
  NodeCase endless = good;
  endless.ended = false;
  NodeCase green_but_rolled_back = good;
  green_but_rolled_back.rollback = Rollback::succeeded;
  NodeCase partly_back = back;
  partly_back.changed = true;
  const NodeCase confirmed_and_replaced =
      node(Outcome::failure, "verify-failed", Reached::activation, Rollback::succeeded);
  NodeCase failed_rollback = back;
  failed_rollback.rollback = Rollback::failed;
  const NodeCase unanswered = node(Outcome::error, "unreachable", Reached::lost_activation);
  const NodeCase gone_before = node(Outcome::error, "unreachable", Reached::activation);
  const NodeCase late = node(Outcome::error, "timeout", Reached::copy);
  const NodeCase no_nix = node(Outcome::error, "nix-missing", Reached::copy);
  const NodeCase bug = node(Outcome::error, "internal");
  const NodeCase rollback_failed = node(Outcome::error, "rollback-failed");
  const NodeCase left_running =
      node(Outcome::cancelled, "left-to-target", Reached::lost_activation);
  const std::vector<Row> table{
      {"all good", {good, good}, "", 0, Outcome::success},
      {"left out by the plan", {good, planned_out}, "", 0, Outcome::success},
      {"rolled back", {good, back}, "", 11, Outcome::failure},
      {"never 0 after a rollback", {good, green_but_rolled_back}, "", 11, Outcome::failure},
      {"rolled back, others never started", {back, stopped}, "", 11, Outcome::failure},
      {"failed and left as it is", {good, left}, "", 10, Outcome::failure},
      {"rolled back and left as it is", {back, left}, "", 11, Outcome::failure},
      {"rolled back, but for a profile that stays", {good, partly_back}, "", 10, Outcome::failure},
      {"rolled back, but for a profile that was confirmed and is somebody else's now",
       {good, confirmed_and_replaced},
       "",
       10,
       Outcome::failure},
      {"state unknown", {good, back, lost, away}, "", 12, Outcome::error},
      {"a failed rollback", {failed_rollback}, "", 12, Outcome::error},
      {"a failed rollback by its reason", {rollback_failed}, "", 12, Outcome::error},
      {"announced, never ended", {good, endless}, "", 12, Outcome::error},
      {"no answer since the activation began", {unanswered}, "", 12, Outcome::error},
      {"unreachable", {good, away}, "", 13, Outcome::error},
      {"unreachable as the activation was to begin", {good, gone_before}, "", 13, Outcome::error},
      {"unreachable, others never started", {away, stopped}, "", 13, Outcome::error},
      {"unreachable and rolled back", {away, back}, "", 11, Outcome::failure},
      {"unreachable and failed", {away, left}, "", 10, Outcome::failure},
      {"unreachable and not copied: not every one was unreachable",
       {away, uncopied},
       "",
       10,
       Outcome::error},
      {"unreachable and not built", {away, unbuilt}, "", 10, Outcome::failure},
      {"not built", {unbuilt, stopped}, "", 21, Outcome::failure},
      {"not built, but another one was touched", {unbuilt, good}, "", 10, Outcome::failure},
      {"not copied", {uncopied, good}, "", 22, Outcome::error},
      {"no nix on the target", {no_nix}, "", 22, Outcome::error},
      {"not copied and not built", {uncopied, unbuilt}, "", 22, Outcome::error},
      {"not evaluated", {unevaluated, stopped}, "", 20, Outcome::failure},
      {"not evaluated and not built", {unevaluated, unbuilt}, "", 21, Outcome::failure},
      {"lock held", {locked, stopped}, "", 15, Outcome::error},
      {"login refused", {refused}, "", 30, Outcome::error},
      {"login refused and lock held", {refused, locked}, "", 15, Outcome::error},
      {"deadline", {late}, "", 14, Outcome::error},
      {"a bug", {bug, back}, "", 1, Outcome::error},
      {"a bug and state unknown", {bug, lost}, "", 12, Outcome::error},
      {"left out without a reason", {stopped}, "", 10, Outcome::error},
      {"all left out by the plan", {planned_out}, "", 4, Outcome::error},
      {"no node", {}, "", 4, Outcome::error},
      {"cancelled by SIGINT", {good, cancelled}, "SIGINT", 130, Outcome::cancelled},
      {"cancelled by SIGTERM", {good, cancelled, to_target}, "SIGTERM", 143, Outcome::cancelled},
      {"cancelled, one left to its target",
       {good, left_running},
       "SIGTERM",
       143,
       Outcome::cancelled},
      {"cancelled by nobody", {good, cancelled}, "", 10, Outcome::error},
      {"cancelled when all were done", {good}, "SIGTERM", 143, Outcome::cancelled},
      {"cancelled, one rolled back", {back, cancelled}, "SIGTERM", 143, Outcome::cancelled},
      {"cancelled, one unknown", {lost, cancelled}, "SIGTERM", 12, Outcome::error},
      {"cancelled, a bug", {bug, cancelled}, "SIGTERM", 1, Outcome::error},
      {"cancelled before anything", {}, "SIGINT", 130, Outcome::cancelled},
  };
  for (const Row& row : table) {
    INFO(row.what);
    const Verdict verdict = judge(run_of(row.nodes, row.signal));
    CHECK(verdict.exit_code == row.code);
    CHECK(name_of(verdict.outcome) == name_of(row.outcome));
    CHECK_FALSE(verdict.reason.empty());
    CHECK(verdict.nodes.size() == row.nodes.size());
  }
}

TEST_CASE("a run that its deadline ended says what came of it") {
  const auto verdict = [](const std::vector<NodeCase>& nodes, const std::string& signal) {
    auto state = run_of(nodes, "");
    fold(state, event_of(CancelRequested{cancel_sources::timeout, "", "grace 6 s"}));
    if (!signal.empty()) {
      fold(state, event_of(CancelRequested{cancel_sources::signal, signal, "grace 6 s"}));
    }
    return judge(state);
  };
  CHECK(verdict({good, cancelled}, "").exit_code == 14);
  CHECK(verdict({good, cancelled}, "").outcome == Outcome::cancelled);
  CHECK(verdict({good, to_target}, "").exit_code == 14);
  CHECK(verdict({good, good}, "").exit_code == 0); // late, but all of it was done
  CHECK(verdict({good, good}, "").outcome == Outcome::success);
  CHECK(verdict({back, cancelled}, "").exit_code == 11);
  CHECK(verdict({back, cancelled}, "").outcome == Outcome::failure);
  CHECK(verdict({lost, cancelled}, "").exit_code == 12);
  CHECK(verdict({lost, cancelled}, "").outcome == Outcome::error);
  CHECK(verdict({good, cancelled}, "SIGTERM").exit_code == 143);
  RunState evaluating;
  fold(evaluating, event_of(EvaluateFinished{Outcome::cancelled, {}, ""}));
  fold(evaluating, event_of(CancelRequested{cancel_sources::timeout, "", "at once"}));
  CHECK(judge(evaluating).exit_code == 14);
  fold(evaluating, event_of(CancelRequested{"user", "", ""})); // nobody was asked any more
  CHECK(judge(evaluating).exit_code == 14);
  DiagnosticFound bug;
  bug.code = "internal";
  bug.severity = DiagnosticFound::Severity::error;
  fold(evaluating, event_of(bug));
  CHECK(judge(evaluating).exit_code == 1);
  CHECK(judge(evaluating).outcome == Outcome::error);
}

TEST_CASE("a person who says no ends the run as one who interrupts it") {
  RunState state;
  fold(state, event_of(CancelRequested{"user", "", "nothing was begun"}));
  CHECK(judge(state).exit_code == 130);
  CHECK(judge(state).outcome == Outcome::cancelled);
}

TEST_CASE("the verdict before there are nodes") {
  const auto problem = [](const char* code, auto severity) {
    DiagnosticFound found;
    found.code = code;
    found.severity = severity;
    return event_of(found);
  };
  using Severity = DiagnosticFound::Severity;
  RunStarted started;
  started.command = "run";
  RunState state;
  fold(state, event_of(started));
  SECTION("nothing was said") {
    CHECK(judge(state).exit_code == 1);
  }
  SECTION("a plan error") {
    fold(state, problem("unknown-key", Severity::error));
    CHECK(judge(state).exit_code == 3);
    CHECK(judge(state).reason == "plan-invalid");
    fold(state, event_of(EvaluateFinished{Outcome::failure, {}, "x"}));
    CHECK(judge(state).exit_code == 3);
  }
  SECTION("evaluation") {
    fold(state, event_of(EvaluateFinished{Outcome::failure, {}, "x"}));
    fold(state, problem("evaluation-failed", Severity::error));
    CHECK(judge(state).exit_code == 20);
  }
  SECTION("a cancelled evaluation") {
    fold(state, event_of(EvaluateFinished{Outcome::cancelled, {}, "x"}));
    CHECK(judge(state).exit_code == 20);
    fold(state, event_of(CancelRequested{"signal", "SIGTERM", ""}));
    CHECK(judge(state).exit_code == 143);
  }
  SECTION("a check that failed, or could not be made") {
    fold(state, event_of(EvaluateFinished{}));
    fold(state, event_of(CheckFinished{"a", Outcome::success, {}, {}, ""}));
    fold(state,
         event_of(CheckFinished{"b", GENERATE(Outcome::failure, Outcome::error), {}, {}, "x"}));
    CHECK(judge(state).exit_code == 20);
  }
  SECTION("a cancelled check") {
    fold(state, event_of(CheckFinished{".", Outcome::cancelled, {}, {}, ""}));
    CHECK(judge(state).exit_code == 20);
    fold(state, event_of(CancelRequested{"signal", "SIGINT", ""}));
    CHECK(judge(state).exit_code == 130);
  }
  SECTION("a key that cannot sign") {
    fold(state, problem("sign-failed", Severity::error));
    CHECK(judge(state).exit_code == 22);
  }
  SECTION("nothing selected") {
    fold(state, problem("nothing-selected", Severity::error));
    CHECK(judge(state).exit_code == 4);
  }
  SECTION("a warning is no reason") {
    fold(state, problem("unknown-key", Severity::warning));
    fold(state, event_of(NodeFinished{}, {"web-1", "", {}, 0}));
    PlanResolved plan;
    fold(state, event_of(plan));
    CHECK(judge(state).exit_code == 0);
  }
  SECTION("check has no nodes") {
    started.command = "check";
    fold(state, event_of(started));
    CHECK(judge(state).exit_code == 0);
  }
}

TEST_CASE("a profile that was rolled back counts even if its node says nothing") {
  RunState state = run_of({good});
  fold(state,
       event_of(NodeRolledBack{2, 1, RollbackTrigger::run_failed, true}, {"n0", "system", {}, 0}));
  CHECK(judge(state).exit_code == 11);
  CHECK(judge(state).counts.rolled_back == 1);
}

TEST_CASE("a dry run is no host of an unknown state, whatever becomes of it") {
  const auto code_of = [](const std::vector<NodeCase>& nodes, const std::string& signal = "") {
    RunState state = run_of(nodes, signal);
    state.plan->mode = Mode::dry_activate;
    return judge(state).exit_code;
  };
  CHECK(code_of({node(Outcome::failure, "activation-failed")}) == 10);
  CHECK(code_of({node(Outcome::error, "unreachable")}) == 13);
  NodeCase killed{Outcome::error, "", Reached::lost_activation, Rollback::none, false};
  CHECK(code_of({killed}) == 1);
  CHECK(code_of({killed}, "SIGTERM") == 143);
  CHECK(code_of({node(Outcome::success)}) == 0);
}

TEST_CASE("counts and nodes") {
  const Verdict verdict = judge(run_of({good, back, lost, cancelled, planned_out}));
  CHECK(verdict.counts.success == 1);
  CHECK(verdict.counts.failure == 1);
  CHECK(verdict.counts.error == 1);
  CHECK(verdict.counts.cancelled == 1);
  CHECK(verdict.counts.skipped == 1);
  CHECK(verdict.counts.rolled_back == 1);
  CHECK(verdict.nodes[2].reason == "state-unknown");
}

TEST_CASE("a node of which nobody said how it ended is listed as an error") {
  NodeCase endless = good;
  endless.ended = false;
  const Verdict verdict = judge(run_of({good, endless}));
  CHECK(verdict.counts.success == 1);
  CHECK(verdict.counts.error == 1);
  CHECK(verdict.nodes[1].outcome == Outcome::error);
  CHECK(verdict.nodes[1].reason == "state-unknown");
}

TEST_CASE("a node that is said to have done well is not believed where a stage of it has no end") {
  const auto planned = [](std::vector<Stage> stages) {
    PlanResolved plan;
    plan.nodes.push_back({"web-1", "web-1", "", {{"system", std::move(stages), "", false}}});
    RunState state;
    fold(state, event_of(plan, {}));
    play(state, "web-1", good);
    return judge(state);
  };
  CHECK(planned({Stage::activate}).exit_code == 0);
  const Verdict verdict = planned({Stage::activate, Stage::verify});
  CHECK(verdict.exit_code == 12);
  CHECK(verdict.counts.success == 0);
  CHECK(verdict.nodes[0].reason == "state-unknown");
}

TEST_CASE("a node that was cancelled before it was touched is no unknown state") {
  NodeCase copying = good;
  copying.ended = false;
  copying.reached = Reached::copy;
  RunState state = run_of({good, copying});
  CHECK(judge(state).exit_code == 12);
  state.cancel = CancelRequested{"signal", "SIGINT", ""};
  CHECK(judge(state).exit_code == 130);
  CHECK(judge(state).nodes[1].outcome == Outcome::cancelled);
  NodeCase activating = good;
  activating.ended = false;
  RunState touched = run_of({good, activating});
  touched.cancel = state.cancel;
  CHECK(judge(touched).exit_code == 12);
}

TEST_CASE("the worse of two exit codes") {
  const std::vector<int> order{12, 1, 130, 11, 10, 14, 13, 22, 21, 20, 15, 30, 40, 0};
  for (std::size_t i = 0; i < order.size(); ++i)
    for (std::size_t j = i; j < order.size(); ++j) {
      const auto a = static_cast<ExitCode>(order[i]), b = static_cast<ExitCode>(order[j]);
      CHECK(worse(a, b) == a);
      CHECK(worse(b, a) == a);
    }
  CHECK(worse(ExitCode::terminated, ExitCode::rolled_back) == ExitCode::terminated);
}

TEST_CASE("the table of exit codes is whole and in order") {
  std::set<std::string_view> names;
  int last = -1;
  for (const ExitCodeInfo& info : exit_codes()) {
    CHECK(static_cast<int>(info.code) > last);
    last = static_cast<int>(info.code);
    CHECK(names.insert(info.name).second);
    CHECK_FALSE(info.meaning.empty());
    CHECK(exit_code_info(info.code).name == info.name);
  }
  CHECK(exit_codes().size() == 18);
}
