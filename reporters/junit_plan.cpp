// SPDX-License-Identifier: Apache-2.0
#include "reporters/junit_plan.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>

namespace belay::reporters {

namespace {

using event::DiagnosticState;
using event::Outcome;
using event::RunState;
using Status = JunitCase::Status;

bool is_error(const DiagnosticState& found) {
  return found.diagnostic.severity == event::DiagnosticFound::Severity::error;
}

bool is_about_evaluation(const DiagnosticState& found) {
  return found.diagnostic.code == reason_of(ErrorKind::evaluation_failed);
}

std::string line_of(const DiagnosticState& found) {
  const event::DiagnosticFound& p = found.diagnostic;
  std::string text = p.file;
  if (p.line > 0)
    text += ":" + std::to_string(p.line);
  if (p.line > 0 && p.column > 0)
    text += ":" + std::to_string(p.column);
  if (!text.empty() && found.message.starts_with(text))
    text.clear();
  else if (!text.empty())
    text += ": ";
  text += found.message;
  return p.hint.empty() || text.find(p.hint) != std::string::npos ? text : text + "; " + p.hint;
}

JunitCase named(const RunState& state, const char* name) {
  JunitCase result;
  result.class_name = junit_class_name(state, "(plan)");
  result.name = name;
  result.file = state.started ? state.started->plan_path : "";
  return result;
}

void set(JunitCase& result, Status status, std::string_view type, std::string message) {
  result.status = status;
  result.type = type;
  result.message = std::move(message);
}

/// Loading the plan file and checking what it and the flake say.
JunitCase load_case(const RunState& state) {
  JunitCase result = named(state, "load");
  std::vector<std::string> lines;
  for (const DiagnosticState& found : state.diagnostics) {
    if (!is_error(found) || is_about_evaluation(found))
      continue;
    if (lines.empty()) {
      result.file = found.diagnostic.file.empty() ? result.file : found.diagnostic.file;
      result.line = found.diagnostic.line;
    }
    lines.push_back(line_of(found));
  }
  if (!lines.empty()) {
    set(result, Status::error, reason_of(ErrorKind::invalid_plan), lines.front());
    if (lines.size() > 1)
      result.body = join(std::span(lines).subspan(1), "\n");
  } else if (!state.evaluate && !state.plan) {
    set(result, Status::skipped, event::reasons::not_reached, "nothing is known of it");
  }
  return result;
}

JunitCase evaluate_case(const RunState& state) {
  JunitCase result = named(state, "evaluate");
  if (!state.evaluate) {
    set(result, Status::skipped, state.cancel ? "cancelled" : event::reasons::not_reached,
        state.cancel ? "cancelled before the evaluation ended" : "not reached");
    return result;
  }
  result.seconds = static_cast<double>(state.evaluate->duration.count()) / 1000.0;
  if (state.evaluate->outcome == Outcome::success)
    return result;
  const bool cancelled = state.evaluate->outcome == Outcome::cancelled;
  const std::string& error = state.evaluate->error;
  set(result, state.evaluate->outcome == Outcome::failure ? Status::failure : Status::error,
      cancelled ? "cancelled" : reason_of(ErrorKind::evaluation_failed),
      error.empty() ? state.evaluate_message : error);
  result.log = state.evaluate_log;
  return result;
}

/// "check"; with several flakes, "check FLAKE", for no two cases may have one name.
JunitCase check_case(const RunState& state, const event::CheckState& check) {
  const bool several = state.started && state.started->flakes.size() > 1;
  const event::CheckFinished& p = check.finished;
  JunitCase result = named(state, several ? ("check " + p.flake).c_str() : "check");
  result.seconds = static_cast<double>(p.duration.count()) / 1000.0;
  if (p.outcome == Outcome::success)
    return result;
  const bool cancelled = p.outcome == Outcome::cancelled;
  set(result, p.outcome == Outcome::failure ? Status::failure : Status::error,
      cancelled ? reason_of(ErrorKind::cancelled) : event::reasons::check_failed,
      cancelled ? "cancelled before the checks ended"
                : (p.failed.empty() ? "" : join(p.failed, ", ") + ": ") + p.error);
  result.log = check.log;
  return result;
}

/// Checks are no part of every run: there are cases of those that began.
void add_checks(const RunState& state, std::vector<JunitCase>& cases) {
  for (const event::CheckState& check : state.checks)
    cases.push_back(check_case(state, check));
  if (!state.checking)
    return;
  JunitCase open = named(state, "check, not finished");
  set(open, Status::error, event::reasons::state_unknown,
      state.is_open() ? "not finished when this report was written"
                      : "not finished when the run ended");
  open.log = state.check_log;
  cases.push_back(std::move(open));
}

bool is_red(const JunitCase& c) {
  return c.status == Status::failure || c.status == Status::error;
}

bool any_red(const std::vector<JunitSuite>& suites) {
  return std::any_of(suites.begin(), suites.end(), [](const JunitSuite& suite) {
    return std::any_of(suite.cases.begin(), suite.cases.end(), is_red);
  });
}

} // namespace

std::vector<std::pair<std::string, std::string>> run_properties(const RunState& state) {
  std::vector<std::pair<std::string, std::string>> properties;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty())
      properties.emplace_back(name, value);
  };
  if (state.started) {
    add("environment", state.started->environment);
    add("rev", state.started->rev);
    add("ci_url", state.started->trigger.url);
  }
  add("run", state.run);
  if (state.plan && state.plan->mode != event::Mode::activate)
    add("mode", std::string(name_of(state.plan->mode)));
  return properties;
}

JunitSuite plan_suite(const RunState& state) {
  JunitSuite suite;
  suite.name = "(plan)";
  suite.host = state.started ? state.started->host : "";
  suite.started_at = state.started_at;
  suite.properties = run_properties(state);
  suite.cases = {load_case(state), evaluate_case(state)};
  add_checks(state, suite.cases);
  return suite;
}

void add_run_case_if_needed(const RunState& state, std::vector<JunitSuite>& suites) {
  if (!state.finished || state.finished->exit_code == 0 || state.cancel || any_red(suites))
    return;
  JunitCase run = named(state, "run");
  set(run, Status::error, state.finished->reason,
      "the run ended with exit code " + std::to_string(state.finished->exit_code) + ", " +
          state.finished->reason);
  suites.front().cases.push_back(std::move(run));
}

} // namespace belay::reporters
