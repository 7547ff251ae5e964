// SPDX-License-Identifier: Apache-2.0
#include "runner/verb_plan.h"

#include "engine/base/error.h"
#include "engine/base/process.h"
#include "engine/base/text.h"
#include "engine/nix/local_nix.h"
#include "runner/signals.h"

#include <atomic>
#include <csignal>
#include <iostream>

namespace belay::runner {

using event::ExitCode;

MadePlan make_plan(const LoadOptions& options, nix::NixStore& store, const nix::ProgressSink& sink,
                   const Wait& wait) {
  LoadedPlan source(options);
  auto made = source.make(store, sink, wait);
  return {std::move(made.plan), source.problems(), std::move(made.evaluation_error)};
}

MadePlan make_local_plan(const LoadOptions& options) {
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
  const auto log = [&](const nix::Progress& progress) {
    if (options.debug_logs && progress.kind == nix::Progress::Kind::log) {
      std::cerr << one_line(progress.text) << '\n';
    }
  };
  try {
    return make_plan(options, store, log, Wait::at_most(evaluate_limit, cancel.token()));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::cancelled) {
      throw;
    }
    MadePlan stopped;
    stopped.signal = signal;
    return stopped;
  }
}

ExitCode print_problems(const MadePlan& made, std::ostream& err) {
  if (made.signal != 0) {
    err << "stopped by " << signal_name(made.signal) << '\n';
    return made.signal == SIGINT ? ExitCode::interrupted : ExitCode::terminated;
  }
  for (const plan::Diagnostic& problem : made.problems) {
    err << problem.line_text() << '\n';
  }
  if (made.evaluation_error) {
    err << "error: " << clean_text(*made.evaluation_error) << '\n';
  }
  bool evaluated = !made.evaluation_error;
  for (const plan::Node& node : made.plan.nodes) {
    if (node.evaluation_error && !node.skip) {
      err << "error: " << one_line(*node.evaluation_error) << '\n';
      evaluated = false;
    }
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
    out << (format == PlanFormat::json ? plan::plan_to_json(made.plan)
                                       : plan::plan_to_table(made.plan));
  }
  return code;
}

ExitCode show_plan(const PlanOptions& options) {
  const ExitCode code = print_plan(make_local_plan(options), options.format, std::cout, std::cerr);
  std::cout.flush();
  if (!std::cout) {
    std::cerr << "belay: the plan could not be written to stdout\n";
    return ExitCode::internal;
  }
  return code;
}

} // namespace belay::runner
