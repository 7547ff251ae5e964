// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/event/exit_code.h"
#include "engine/event/run_state.h"

#include <algorithm>

// What the whole run comes to. Each node that did not succeed gets a class, the worst class is the
// exit code. The rule behind every doubtful case: never call good what nobody said was good.

namespace belay::event {

namespace {

bool any_stage(const NodeState& node, const auto& matches) {
  for (const ProfileState& profile : node.profiles)
    if (std::any_of(profile.stages.begin(), profile.stages.end(), matches))
      return true;
  return false;
}

/// Activation is the first thing that changes a target - unless it ended before the target was told
/// to begin, or that it is a dry run.
bool is_touched(const NodeState& node, const RunState& state) {
  return !state.is_dry() && any_stage(node, [](const StageState& stage) {
    return stage.stage == Stage::activate && stage.started &&
           !(stage.finished && stage.finished->reason == reason_of(ErrorKind::unreachable));
  });
}

/// Announced or begun, and nobody said how it ended.
bool is_open(const StageState& stage) {
  return !stage.finished;
}

/// How one node ended. Silence is state-unknown, also of a part of what is said to have gone well,
/// but not where the run was cancelled before the node was touched.
RunFinished::Node ending_of(const NodeState& node, const RunState& state) {
  if (node.finished && node.finished->outcome == Outcome::success && any_stage(node, is_open))
    return {node.id, Outcome::error, std::string(reasons::state_unknown)};
  if (node.finished)
    return {node.id, node.finished->outcome, node.finished->reason};
  if (state.cancel && !is_touched(node, state))
    return {node.id, Outcome::cancelled, std::string(reason_of(ErrorKind::cancelled))};
  if (state.is_dry()) // it is as it was; only what its script would have said is not known
    return {node.id, Outcome::error, std::string(reason_of(ErrorKind::internal))};
  return {node.id, Outcome::error, std::string(reasons::state_unknown)};
}

/// An activation that began and whose end nobody reported.
bool is_lost(const NodeState& node) {
  return any_stage(node, [](const StageState& stage) {
    return stage.stage == Stage::activate && stage.started && !stage.finished;
  });
}

bool was_rolled_back(const NodeState& node) {
  const bool any = std::any_of(node.profiles.begin(), node.profiles.end(),
                               [](const ProfileState& p) { return p.rolled_back.has_value(); });
  return any || (node.finished && node.finished->rollback == Rollback::succeeded);
}

/// The stage that broke the node: the first that ended as a failure or an error.
std::optional<Stage> broken_stage(const NodeState& node) {
  for (const ProfileState& profile : node.profiles)
    for (const StageState& stage : profile.stages)
      if (stage.finished && (stage.finished->outcome == Outcome::failure ||
                             stage.finished->outcome == Outcome::error))
        return stage.stage;
  return std::nullopt;
}

ExitCode class_of_stage(std::optional<Stage> stage) {
  if (!stage)
    return ExitCode::failed;
  switch (*stage) {
  case Stage::evaluate:
  case Stage::check:
    return ExitCode::evaluation;
  case Stage::build:
    return ExitCode::build;
  case Stage::sign:
  case Stage::copy:
    return ExitCode::copy;
  case Stage::lock:
  case Stage::activate:
  case Stage::confirm:
  case Stage::verify:
  case Stage::rollback:
    return ExitCode::failed;
  }
  return ExitCode::failed;
}

/// The class of a node that failed and was not rolled back, before it is known what the others did.
ExitCode class_of_reason(std::string_view reason, const NodeState& node, const RunState& state) {
  const auto is = [&](ErrorKind kind) { return reason == reason_of(kind); };
  if (is(ErrorKind::internal))
    return ExitCode::internal;
  if (is_touched(node, state))
    return ExitCode::failed;
  if (is(ErrorKind::unreachable) || is(ErrorKind::host_key_mismatch) ||
      is(ErrorKind::transport_unsupported))
    return ExitCode::unreachable;
  if (is(ErrorKind::authentication_failed) || is(ErrorKind::secret) || is(ErrorKind::no_privilege))
    return ExitCode::secret;
  if (is(ErrorKind::deadline_exceeded))
    return ExitCode::deadline;
  if (is(ErrorKind::lock_held))
    return ExitCode::lock_held;
  if (is(ErrorKind::evaluation_failed))
    return ExitCode::evaluation;
  if (is(ErrorKind::build_failed))
    return ExitCode::build;
  if (is(ErrorKind::sign_failed) || is(ErrorKind::copy_failed))
    return ExitCode::copy;
  return class_of_stage(broken_stage(node));
}

bool is_state_unknown(const NodeState& node, const RunFinished::Node& ending,
                      const RunState& state) {
  if (ending.reason == reasons::state_unknown || ending.reason == reasons::rollback_failed)
    return true;
  if (node.finished &&
      (node.finished->rollback == Rollback::failed || node.finished->rollback == Rollback::unknown))
    return true;
  return is_lost(node) && ending.outcome != Outcome::cancelled && !state.is_dry();
}

/// The run was ended by its deadline, and by nobody.
bool is_late(const RunState& state) {
  return state.cancel && state.cancel->source == cancel_sources::timeout;
}

/// nullopt: this node is no reason for anything but 0.
std::optional<ExitCode> class_of(const NodeState& node, const RunState& state) {
  const RunFinished::Node ending = ending_of(node, state);
  if (is_state_unknown(node, ending, state))
    return ExitCode::state_unknown;
  if (ending.reason == reasons::superseded || ending.reason == reasons::verify_failed)
    return ExitCode::failed; // somebody else's by now: not back where it was, whatever else is
  if (was_rolled_back(node)) // cleanly, unless one of its profiles was to stay
    return node.finished && node.finished->changed ? ExitCode::failed : ExitCode::rolled_back;
  switch (ending.outcome) {
  case Outcome::success:
  case Outcome::skipped:
    return std::nullopt;
  case Outcome::cancelled: // the signal decides; without one, it is not where it should be
    return is_late(state) ? ExitCode::deadline : ExitCode::failed;
  case Outcome::failure:
  case Outcome::error:
    return class_of_reason(ending.reason, node, state);
  }
  return ExitCode::internal;
}

/// "Every failed node" and "before any node was touched" can only be said of all nodes together.
ExitCode class_of_nodes(const RunState& state) {
  const std::vector<NodeState>& nodes = state.nodes;
  std::vector<ExitCode> classes;
  for (const NodeState& node : nodes)
    if (const auto code = class_of(node, state))
      classes.push_back(*code);
  const bool all_unreachable = std::all_of(
      classes.begin(), classes.end(), [](ExitCode code) { return code == ExitCode::unreachable; });
  const bool touched = std::any_of(nodes.begin(), nodes.end(),
                                   [&](const NodeState& node) { return is_touched(node, state); });
  ExitCode worst = ExitCode::ok;
  for (ExitCode code : classes) {
    const bool untrue =
        (code == ExitCode::unreachable && !all_unreachable) || (code == ExitCode::build && touched);
    worst = worse(worst, untrue ? ExitCode::failed : code);
  }
  return worst;
}

/// A node that was to be deployed and was left out, without anything that explains it.
bool any_left_out(const RunState& state) {
  return std::any_of(state.nodes.begin(), state.nodes.end(), [](const NodeState& node) {
    return node.finished && node.finished->outcome == Outcome::skipped &&
           node.finished->reason != reasons::skipped_by_plan;
  });
}

bool all_skipped_by_plan(const RunState& state) {
  return std::all_of(state.nodes.begin(), state.nodes.end(), [](const NodeState& node) {
    return node.finished && node.finished->reason == reasons::skipped_by_plan;
  });
}

ExitCode class_of_diagnostic(const DiagnosticFound& diagnostic) {
  if (diagnostic.severity != DiagnosticFound::Severity::error)
    return ExitCode::ok;
  if (diagnostic.code == reason_of(ErrorKind::sign_failed))
    return ExitCode::copy;
  for (const ErrorKind kind : {ErrorKind::evaluation_failed, ErrorKind::cancelled})
    if (diagnostic.code == reason_of(kind))
      return kind == ErrorKind::cancelled ? ExitCode::ok : ExitCode::evaluation;
  for (const ExitCode code : {ExitCode::usage, ExitCode::nothing_selected, ExitCode::secret,
                              ExitCode::build, ExitCode::internal})
    if (diagnostic.code == exit_code_info(code).name)
      return code;
  return ExitCode::plan_invalid;
}

/// What happened before there were nodes.
ExitCode class_of_set_up(const RunState& state) {
  ExitCode worst = ExitCode::ok;
  for (const DiagnosticState& found : state.diagnostics)
    worst = worse(worst, class_of_diagnostic(found.diagnostic));
  const auto went_wrong = [&](Outcome outcome) {
    return outcome != Outcome::success && !(outcome == Outcome::cancelled && state.cancel);
  };
  if (state.evaluate && went_wrong(state.evaluate->outcome))
    worst = worse(worst, ExitCode::evaluation);
  for (const CheckState& check : state.checks)
    if (went_wrong(check.finished.outcome))
      worst = worse(worst, ExitCode::evaluation);
  return worst;
}

/// What a run without a failure and without a signal comes to.
ExitCode class_of_quiet(const RunState& state) {
  if (any_left_out(state))
    return ExitCode::failed;
  if (state.plan && all_skipped_by_plan(state))
    return ExitCode::nothing_selected;
  if (!state.plan && state.started && state.started->command == "run")
    return ExitCode::internal; // it never came to a plan and never said why
  return ExitCode::ok;
}

ExitCode exit_code_of(const RunState& state) {
  ExitCode worst = worse(class_of_nodes(state), class_of_set_up(state));
  if (is_late(state) && !state.plan) // before there was a node
    return worse(worst, ExitCode::deadline);
  if (state.cancel && !is_late(state)) // a deadline that cost no node anything is no matter
    return worse(worst,
                 state.cancel->signal == "SIGTERM" ? ExitCode::terminated : ExitCode::interrupted);
  return worst == ExitCode::ok ? class_of_quiet(state) : worst;
}

void count(RunFinished::Counts& counts, const NodeState& node, Outcome outcome) {
  switch (outcome) {
  case Outcome::success:
    ++counts.success;
    break;
  case Outcome::failure:
    ++counts.failure;
    break;
  case Outcome::error:
    ++counts.error;
    break;
  case Outcome::cancelled:
    ++counts.cancelled;
    break;
  case Outcome::skipped:
    ++counts.skipped;
    break;
  }
  counts.changed += node.finished && node.finished->changed ? 1 : 0;
  counts.rolled_back += was_rolled_back(node) ? 1 : 0;
}

Outcome outcome_of(ExitCode code, const RunFinished::Counts& counts, const RunState& state) {
  if (code == ExitCode::deadline && is_late(state))
    return Outcome::cancelled;
  switch (code) {
  case ExitCode::ok:
    return Outcome::success;
  case ExitCode::interrupted:
  case ExitCode::terminated:
    return Outcome::cancelled;
  case ExitCode::rolled_back:
  case ExitCode::build:
  case ExitCode::evaluation:
    return Outcome::failure;
  case ExitCode::failed:
    return counts.failure > 0 ? Outcome::failure : Outcome::error;
  default:
    return Outcome::error;
  }
}

} // namespace

Verdict judge(const RunState& state) {
  Verdict verdict;
  for (const NodeState& node : state.nodes) {
    verdict.nodes.push_back(ending_of(node, state));
    count(verdict.counts, node, verdict.nodes.back().outcome);
  }
  const ExitCode code = exit_code_of(state);
  verdict.exit_code = static_cast<int>(code);
  verdict.reason = exit_code_info(code).name;
  verdict.outcome = outcome_of(code, verdict.counts, state);
  return verdict;
}

} // namespace belay::event
