// SPDX-License-Identifier: Apache-2.0
#include "runner/prepare.h"

#include "engine/base/error.h"
#include "engine/nix/sign.h"
#include "runner/ci_context.h"
#include "runner/flake_checks.h"

#include <memory>

namespace belay::runner {

using event::Outcome;
using event::Stage;

namespace {

constexpr Duration evaluate_limit = std::chrono::hours(2);

event::Subject evaluation() {
  return {{}, {}, Stage::evaluate, 0};
}

/// In a worker: a signal stops it.
void make_plan(PlanSource& source, nix::NixStore& store, run::StepContext& context,
               PlanSource::Made& made) {
  const auto log = [&](const nix::Progress& progress) {
    context.tell({event::LogLine{"nix", progress.text, std::nullopt, true},
                  evaluation(),
                  event::Level::debug,
                  {}});
  };
  try {
    made = source.make(store, log, Wait::at_most(evaluate_limit, context.work()));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::cancelled) {
      made.evaluation_error = error.message();
    }
  }
}

Outcome outcome_of(const run::SingleStepEnd& end, const PlanSource::Made& made) {
  if (end.stopped()) {
    return Outcome::cancelled;
  }
  return made.evaluation_error      ? Outcome::failure
         : end.result.error.empty() ? Outcome::success
                                    : Outcome::error;
}

void tell_problem(RunReports& reports, const plan::Diagnostic& problem) {
  const bool error = problem.severity == plan::Diagnostic::Severity::error;
  event::DiagnosticFound found;
  found.severity =
      error ? event::DiagnosticFound::Severity::error : event::DiagnosticFound::Severity::warning;
  found.code = problem.code;
  found.file = problem.file;
  found.line = problem.line;
  found.column = problem.column;
  found.hint = problem.hint;
  reports.emit(std::move(found), {}, error ? event::Level::error : event::Level::warn,
               problem.message);
}

/// The plan, with its problems told; nullopt where it could not be made.
std::optional<plan::Plan> evaluate(RunFrame& frame, PlanSource& source) {
  const auto started = frame.clock().now();
  RunReports& reports = frame.reports();
  reports.emit(event::StageStarted{}, evaluation(), event::Level::debug);
  const auto made = std::make_shared<PlanSource::Made>();
  const auto end = frame.work([&source, &store = frame.store(), made](run::StepContext& context) {
    make_plan(source, store, context, *made);
  });
  event::EvaluateFinished finished;
  finished.duration = frame.clock().now() - started;
  if (end.left) { // the worker may still be at it: what it writes must not be read
    finished.outcome = Outcome::cancelled;
    reports.emit(std::move(finished), evaluation(), event::Level::warn);
    return std::nullopt;
  }
  finished.outcome = outcome_of(end, *made);
  finished.error = made->evaluation_error.value_or(end.result.error);
  const bool good = finished.outcome == Outcome::success;
  reports.emit(std::move(finished), evaluation(), good ? event::Level::info : event::Level::error);
  for (const auto& problem : source.problems()) {
    tell_problem(reports, problem);
  }
  return good && !plan::has_errors(source.problems()) ? std::optional(std::move(made->plan))
                                                      : std::nullopt;
}

/// As with webhooks: what is missing is found before anything is built.
bool fetch_passwords(RunFrame& frame, const SudoPasswords& passwords, const std::string& file,
                     Prepared& prepared) {
  try {
    prepared.passwords = passwords.fetch(prepared.plan);
  } catch (const Error& error) {
    frame.tell_problem(error.reason(), file, error.message());
    return false;
  }
  for (const auto& [origin, password] : prepared.passwords) {
    frame.reports().add_secret(password->text());
  }
  return true;
}

/// $LOCAL_KEY signs what goes from here to the nodes, as in deploy-rs.
bool sign_with_key(RunFrame& frame, plan::Plan& plan) {
  const std::string file = environment_variable("LOCAL_KEY").value_or("");
  if (file.empty()) {
    return true;
  }
  try {
    nix::check_signing_key(file);
  } catch (const Error& error) {
    frame.tell_problem(error.reason(), {}, error.message());
    return false;
  }
  for (auto& node : plan.nodes) {
    for (auto& profile : node.profiles) {
      if (!profile.remote_build) { // what is built there never was here
        profile.signing_key = file;
      }
    }
  }
  return true;
}

} // namespace

std::optional<Prepared> prepare(RunFrame& frame, PlanSource& source, const SudoPasswords& passwords,
                                const std::vector<nix::EvaluateRequest>& checks) {
  auto plan = evaluate(frame, source);
  if (!plan) {
    return std::nullopt;
  }
  Prepared prepared{std::move(*plan), {}};
  if (prepared.plan.nodes.empty()) {
    frame.tell_problem(reason_of(ErrorKind::nothing_selected), {},
                       "nothing is selected: no node to deploy");
    return std::nullopt;
  }
  if (!fetch_passwords(frame, passwords, source.file_name(), prepared) ||
      !sign_with_key(frame, prepared.plan) || !check_flakes(frame, checks)) {
    return std::nullopt;
  }
  return prepared;
}

} // namespace belay::runner
