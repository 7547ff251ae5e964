// SPDX-License-Identifier: Apache-2.0
#include "runner/verb_plan.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/process.h"
#include "engine/base/text.h"
#include "engine/nix/local_nix.h"
#include "engine/run/build_watch.h"
#include "runner/signals.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <iostream>

namespace belay::runner {

using event::ExitCode;

namespace {

constexpr Duration check_limit = std::chrono::hours(24); // as in a run
constexpr Duration lock_limit = std::chrono::hours(2);

MadePlan make_plan(LoadedPlan& source, nix::NixStore& store, const nix::ProgressSink& sink,
                   const Wait& wait) {
  auto made = source.make(store, sink, wait);
  MadePlan plan{std::move(made.plan), source.problems(), std::move(made.evaluation_error)};
  plan.checks = source.checks();
  plan.mask = event::SecretMask(source.secrets());
  return plan;
}

} // namespace

MadePlan make_plan(const LoadOptions& options, nix::NixStore& store, const nix::ProgressSink& sink,
                   const Wait& wait) {
  LoadedPlan source(options);
  return make_plan(source, store, sink, wait);
}

MadePlan make_local_plan(const LoadOptions& options, const AfterPlan& after) {
  constexpr Duration evaluate_limit = std::chrono::hours(2);
  CancelSource cancel;
  std::atomic<int> signal = 0;
  SignalWatch watch;
  watch.start([&](int number) {
    signal = number;
    cancel.cancel();
  });
  PosixProcessRunner processes;
  nix::LocalNix store(processes);
  LoadedPlan source(options);
  const event::SecretMask mask(source.secrets());
  const auto log = [&](const nix::Progress& progress) {
    if (options.debug_logs && progress.kind == nix::Progress::Kind::log) {
      std::cerr << mask.apply(one_line(progress.text)) << '\n';
    }
  };
  try {
    const Wait wait = Wait::at_most(evaluate_limit, cancel.token());
    MadePlan made = make_plan(source, store, log, wait);
    if (after) {
      after(made, store, cancel.token());
    }
    return made;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::cancelled) {
      throw Error(error.kind(), mask.apply(error.message()));
    }
    MadePlan stopped;
    stopped.signal = signal;
    return stopped;
  }
}

namespace {

bool is_unevaluated(const plan::Node& node) {
  return node.evaluation_error && !node.skip;
}

std::string in_format(const plan::Plan& plan, PlanFormat format) {
  switch (format) {
  case PlanFormat::json:
    return plan::plan_to_json(plan);
  case PlanFormat::toml:
    return plan::plan_to_toml(plan);
  case PlanFormat::table:
    break;
  }
  return plan::plan_to_table(plan);
}

} // namespace

bool is_good(const MadePlan& made) {
  return made.signal == 0 && !made.evaluation_error && made.failed_checks.empty() &&
         !plan::has_errors(made.problems) && !made.plan.nodes.empty() &&
         std::none_of(made.plan.nodes.begin(), made.plan.nodes.end(), is_unevaluated);
}

ExitCode print_problems(const MadePlan& made, std::ostream& err) {
  if (made.signal != 0) {
    err << "stopped by " << signal_name(made.signal) << '\n';
    return made.signal == SIGINT ? ExitCode::interrupted : ExitCode::terminated;
  }
  for (const plan::Diagnostic& problem : made.problems) {
    err << made.mask.apply(problem.line_text()) << '\n';
  }
  if (made.evaluation_error) {
    err << "error: " << made.mask.apply(clean_text(*made.evaluation_error)) << '\n';
  }
  bool evaluated = !made.evaluation_error;
  for (const plan::Node& node : made.plan.nodes) {
    if (is_unevaluated(node)) {
      err << "error: " << made.mask.apply(one_line(*node.evaluation_error)) << '\n';
      evaluated = false;
    }
  }
  for (const std::string& failed : made.failed_checks) {
    err << "error: " << made.mask.apply(clean_text(failed)) << '\n';
    evaluated = false;
  }
  if (plan::has_errors(made.problems)) {
    return ExitCode::plan_invalid;
  }
  if (!evaluated) {
    return ExitCode::evaluation;
  }
  if (made.plan.nodes.empty()) {
    err << "error: no node is selected\n";
    return ExitCode::nothing_selected;
  }
  return ExitCode::ok;
}

ExitCode print_plan(const MadePlan& made, PlanFormat format, std::ostream& out, std::ostream& err) {
  const ExitCode code = print_problems(made, err);
  if (code != ExitCode::plan_invalid && made.signal == 0 && !made.evaluation_error) {
    out << made.mask.apply(in_format(made.plan, format));
  }
  return code;
}

std::vector<PlannedFlake> lock_flakes(const MadePlan& made, const LoadOptions& options,
                                      nix::NixStore& store, const Wait& wait) {
  std::vector<PlannedFlake> flakes;
  for (const std::string& flake : made.plan.flakes) {
    flakes.push_back({flake, store.lock(flake, options.nix_arguments, wait)});
  }
  return flakes;
}

void make_checks(MadePlan& made, nix::NixStore& store, const CancelToken& cancel,
                 std::ostream& err) {
  for (const nix::EvaluateRequest& request : made.checks) {
    const auto flake = made.mask.apply(one_line(request.flake));
    err << "checking " + flake + "\n" << std::flush;
    run::BuildWatch watch([&](const std::string& text) {
      err << "checking " + flake + ": " + made.mask.apply(text) + "\n" << std::flush;
    });
    const auto failed = store.check(
        request, [&](const nix::Progress& said) { watch.take(said); },
        Wait::at_most(check_limit, cancel));
    for (const nix::FailedCheck& check : failed) {
      made.failed_checks.push_back((check.name.empty() ? "the checks" : check.name) + " of " +
                                   request.flake + " failed: " + check.error);
    }
  }
  made.checked = true;
}

void save_artifact(const MadePlan& made, const std::string& file, std::ostream& err) {
  if (!is_good(made)) {
    err << "belay: " << file << " was not written\n";
    return;
  }
  for (const PlannedFlake& flake : made.flakes) {
    if (!flake.lock.locked) {
      err << "warning: flake " << made.mask.apply(one_line(flake.reference))
          << " has changes that are not committed: if what was planned is collected as garbage, "
             "the artifact is of use only as long as they stay as they are\n";
    }
  }
  for (const plan::Webhook& webhook : made.plan.webhooks) {
    if (webhook.url) {
      err << "warning: " << made.plan.file << ":" << webhook.line
          << ": the artifact takes no webhook along whose URL is in the plan file; name it by "
             "urlEnv or urlFile\n";
    }
  }
  if (!made.checked.value_or(false)) {
    err << "warning: the flake's checks were not made; the artifact says so\n";
  }
  replace_file(file,
               write_artifact(make_artifact(made.plan, made.flakes, made.checked.value_or(false))));
  err << "wrote " << file << ": belay run --plan-artifact " << shell_quote(file)
      << " deploys exactly this\n";
}

ExitCode show_plan(const PlanOptions& options) {
  const auto lock = [&](MadePlan& made, nix::NixStore& store, const CancelToken& cancel) {
    if (options.out && !options.skip_checks && is_good(made)) {
      make_checks(made, store, cancel, std::cerr);
    }
    if (options.out && is_good(made)) {
      made.flakes = lock_flakes(made, options, store, Wait::at_most(lock_limit, cancel));
    }
  };
  const MadePlan made = make_local_plan(options, lock);
  const ExitCode code = print_plan(made, options.format, std::cout, std::cerr);
  std::cout.flush();
  if (!std::cout) {
    std::cerr << "belay: the plan could not be written to stdout\n";
    return ExitCode::internal;
  }
  if (options.out) {
    save_artifact(made, *options.out, std::cerr);
  }
  return code;
}

} // namespace belay::runner
