// SPDX-License-Identifier: Apache-2.0
#include "runner/verb_run.h"

#include "engine/base/error.h"
#include "engine/event/streams.h"
#include "runner/artifact_source.h"
#include "runner/ask.h"
#include "runner/ci_context.h"
#include "runner/deploy.h"
#include "runner/load_plan.h"
#include "runner/prepare.h"
#include "runner/secret_source.h"
#include "runner/version.h"

#include <memory>
#include <unistd.h>

namespace belay::runner {

namespace {

std::string nix_version(nix::NixStore& store) {
  try {
    return store.version(Wait::at_most(std::chrono::seconds(20)));
  } catch (const Error&) {
    return {}; // the evaluation will say what is wrong
  }
}

std::string host_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

void tell_started(RunFrame& frame, const PlanSource& source, const RunOptions& options) {
  event::RunStarted started;
  started.tool_name = "belay";
  started.tool_version = version;
  started.nix_version = nix_version(frame.store());
  started.command = "run";
  started.plan_path = source.file_name();
  started.flakes = source.flakes();
  started.environment = source.environment();
  started.trigger = detect_trigger(environment_variable);
  started.rev = detect_revision(environment_variable);
  started.host = host_name();
  started.pid = getpid();
  started.options = options.given;
  frame.reports().emit(std::move(started));
}

DeployOptions deploy_options(const RunOptions& options) {
  return {options.nix_arguments,
          options.keep_result ? std::optional(options.result_path) : std::nullopt,
          options.check_signatures};
}

/// A webhook that cannot be told is found before anything is done, not after.
bool has_webhooks(RunFrame& frame, const PlanSource& source) {
  const auto& problems = frame.reports().problems();
  for (const auto& problem : problems) {
    frame.tell_problem(problem.reason(), source.file_name(), problem.message());
  }
  return problems.empty();
}

/// An artifact brings the verdict on the flakes' checks along, or the lack of one.
void tell_checked(RunFrame& frame, const PlanSource& source) {
  const auto checked = source.was_checked();
  if (checked && source.problems().empty()) {
    const char* text = *checked ? "made, and good, when the artifact was written"
                                : "the flake's checks were not made when the artifact was written";
    frame.reports().emit(event::LogLine{event::streams::note, text, std::nullopt, true},
                         {{}, {}, event::Stage::check, 0},
                         *checked ? event::Level::info : event::Level::warn);
  }
}

std::unique_ptr<PlanSource> make_source(const RunOptions& options) {
  if (options.plan_artifact) {
    return std::make_unique<ArtifactSource>(options);
  }
  return std::make_unique<LoadedPlan>(options);
}

} // namespace

event::ExitCode run_deploy(const RunOptions& options, SignalWatch& signals) {
  if (options.interactive) {
    require_terminal();
  }
  const auto owned_source = make_source(options);
  PlanSource& source = *owned_source;
  // Before anything is started that could inherit them.
  SecretVariables variables;
  const auto take = [&](const std::string& name) { return variables.take(name); };
  const SudoPasswords passwords(source.sudo_password_variables(), take);
  RunFrame frame(signals, source.reports(), source.webhooks(), take, source.deadline());
  for (const auto& secret : source.secrets()) {
    frame.reports().add_secret(secret);
  }
  return frame.run([&] {
    tell_started(frame, source, options);
    if (!has_webhooks(frame, source)) {
      return;
    }
    tell_checked(frame, source);
    const auto checks = options.skip_checks ? std::vector<nix::EvaluateRequest>() : source.checks();
    auto prepared = prepare(frame, source, passwords, checks);
    if (prepared && options.interactive && !ask(frame, prepared->plan)) {
      decline(frame, prepared->plan);
    } else if (prepared) {
      deploy(frame, std::move(*prepared), deploy_options(options));
    }
  });
}

} // namespace belay::runner
