// SPDX-License-Identifier: Apache-2.0
#include "runner/verb_run.h"

#include "engine/base/error.h"
#include "engine/base/process.h"
#include "engine/base/system_name.h"
#include "engine/base/text.h"
#include "engine/nix/local_nix.h"
#include "engine/run/announcement.h"
#include "engine/run/loop.h"
#include "engine/run/scheduler.h"
#include "engine/run/step_runner.h"
#include "engine/run/thread_executor.h"
#include "engine/ssh/ssh_transport.h"
#include "runner/agent_folders.h"
#include "runner/ci_context.h"
#include "runner/load_plan.h"
#include "runner/run_reports.h"
#include "runner/sudo_passwords.h"
#include "runner/version.h"

#include <atomic>
#include <memory>
#include <unistd.h>

namespace belay::runner {

using event::Outcome;
using event::Stage;
using plan::Diagnostics;

namespace {

constexpr Duration evaluate_limit = std::chrono::hours(2);

class Deploy {
public:
  Deploy(const RunOptions& options, SignalWatch& signals)
      : options_(options), signals_(signals), loaded_(load_plan_file(options)),
        sudo_passwords_(loaded_.sudo_password_variables(), take_variable), nix_(processes_),
        executor_([this](const run::Step& step,
                         run::StepContext& context) { return do_step(step, context); },
                  clock_),
        reports_(loaded_.reports(), loaded_.webhooks(), clock_,
                 [this](event::Draft draft) { executor_.tell(std::move(draft)); }) {
    signals.start([this](int signal) { on_signal(signal); });
  }

  ~Deploy() { signals_.stop(); } // before anything that a signal would reach is gone
  Deploy(const Deploy&) = delete;
  Deploy& operator=(const Deploy&) = delete;

  event::ExitCode run() {
    try {
      tell_started();
      if (has_webhooks() && evaluate() && resolve()) {
        deploy();
      }
    } catch (const std::exception& error) { // nothing that began may end without a verdict
      event::DiagnosticFound found;
      found.code = reason_of(ErrorKind::internal);
      reports_.emit(std::move(found), {}, event::Level::error, error.what());
    }
    reports_.tell_end();
    exit_code_ = static_cast<int>(reports_.exit_code()); // from here on a signal ends the process
    if (left_) {
      // A second signal: steps may still wait for their targets; nobody waits for them.
      reports_.finish();
      _exit(exit_code_);
    }
    reports_.finish();
    return reports_.exit_code();
  }

private:
  void on_signal(int signal) {
    if (exit_code_ >= 0) {
      _exit(exit_code_); // all is told and written; only webhooks may still be under way
    }
    executor_.interrupt(signal);
  }

  void tell_started() {
    event::RunStarted started;
    started.tool_name = "belay";
    started.tool_version = version;
    started.nix_version = nix_version();
    started.command = "run";
    started.plan_path = loaded_.file_name();
    started.flakes = loaded_.flakes();
    started.environment = loaded_.environment();
    started.trigger = detect_trigger(environment_variable);
    started.rev = detect_revision(environment_variable);
    started.host = host_name();
    started.pid = getpid();
    started.options = options_.given;
    reports_.emit(std::move(started));
    if (!options_.skip_checks) {
      event::DiagnosticFound found;
      found.severity = event::DiagnosticFound::Severity::warning;
      found.code = "checks-not-run";
      reports_.emit(std::move(found), {}, event::Level::warn,
                    "no flake checks were run: this version has none; --skip-checks says so "
                    "without this line");
    }
  }

  /// A webhook that cannot be told is found before anything is done, not after.
  bool has_webhooks() {
    for (const auto& problem : reports_.problems()) {
      event::DiagnosticFound found;
      found.code = problem.reason();
      found.file = loaded_.file_name();
      reports_.emit(std::move(found), {}, event::Level::error, problem.message());
    }
    return reports_.problems().empty();
  }

  std::string nix_version() {
    try {
      return nix_.version(Wait::at_most(std::chrono::seconds(20)));
    } catch (const Error&) {
      return {}; // the evaluation will say what is wrong
    }
  }

  static std::string host_name() {
    char name[256] = {};
    gethostname(name, sizeof name - 1);
    return name;
  }

  // ---- evaluate ----

  bool evaluate() {
    const auto started = clock_.now();
    reports_.emit(event::StageStarted{}, {{}, {}, Stage::evaluate, 0}, event::Level::debug);
    const run::Step step{evaluate_step, run::StepKind::evaluate, {}};
    const auto end = run::run_single_step(step, executor_, reports_.emitter(), clock_);
    left_ = end.left;
    event::EvaluateFinished finished;
    finished.duration = clock_.now() - started;
    if (left_) { // the worker may still be at it: what it writes must not be read
      finished.outcome = Outcome::cancelled;
      reports_.emit(std::move(finished), {{}, {}, Stage::evaluate, 0}, event::Level::warn);
      return false;
    }
    finished.outcome = end.signal != 0            ? Outcome::cancelled
                       : evaluation_error_        ? Outcome::failure
                       : end.result.error.empty() ? Outcome::success
                                                  : Outcome::error;
    finished.error = evaluation_error_.value_or(end.result.error);
    const bool good = finished.outcome == Outcome::success;
    reports_.emit(std::move(finished), {{}, {}, Stage::evaluate, 0},
                  good ? event::Level::info : event::Level::error);
    tell_problems(problems_told_);
    return good;
  }

  /// Every flake in turn, in a worker: a signal stops it.
  run::StepResult evaluate_flakes(const run::Step& step, run::StepContext& context) {
    run::StepResult result;
    result.id = step.id;
    const auto log = [&](const nix::Progress& progress) {
      context.tell({event::LogLine{"nix", progress.text, std::nullopt, true},
                    {{}, {}, Stage::evaluate, 0},
                    event::Level::debug,
                    {}});
    };
    try {
      evaluation_error_ =
          evaluate_all(loaded_, options_, nix_, log, Wait::at_most(evaluate_limit, context.work()));
      if (!evaluation_error_) {
        join(context.work());
      }
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::cancelled) {
        evaluation_error_ = error.message();
      }
    }
    return result;
  }

  /// Plan file, flags and evaluations together; a path that nothing builds has to be there.
  void join(const CancelToken& cancel) {
    plan_ = loaded_.resolve();
    for (auto& problem : check_paths(plan_, nix_, Wait::at_most(std::chrono::minutes(1), cancel))) {
      loaded_.add_problem(std::move(problem));
    }
  }

  // ---- resolve ----

  bool resolve() {
    tell_problems(problems_told_);
    if (plan::has_errors(loaded_.problems())) {
      return false;
    }
    if (plan_.nodes.empty()) {
      event::DiagnosticFound found;
      found.code = reason_of(ErrorKind::nothing_selected);
      reports_.emit(std::move(found), {}, event::Level::error,
                    "nothing is selected: no node to deploy");
      return false;
    }
    if (!has_passwords()) {
      return false;
    }
    reports_.emit(run::announce(plan_));
    return true;
  }

  /// As with webhooks: what is missing is found before anything is built.
  bool has_passwords() {
    try {
      passwords_ = sudo_passwords_.fetch(plan_);
    } catch (const Error& error) {
      event::DiagnosticFound found;
      found.code = error.reason();
      found.file = loaded_.file_name();
      reports_.emit(std::move(found), {}, event::Level::error, error.message());
      return false;
    }
    for (const auto& [source, password] : passwords_) {
      reports_.emitter().add_secret(password->text());
    }
    return true;
  }

  /// Tells those from number `from` on.
  void tell_problems(std::size_t& from) {
    const auto& problems = loaded_.problems();
    for (; from < problems.size(); ++from) {
      const auto& problem = problems[from];
      const bool error = problem.severity == plan::Diagnostic::Severity::error;
      event::DiagnosticFound found;
      found.severity = error ? event::DiagnosticFound::Severity::error
                             : event::DiagnosticFound::Severity::warning;
      found.code = problem.code;
      found.file = problem.file;
      found.line = problem.line;
      found.column = problem.column;
      found.hint = problem.hint;
      reports_.emit(std::move(found), {}, error ? event::Level::error : event::Level::warn,
                    problem.message);
    }
  }

  // ---- deploy ----

  void deploy() {
    make_tools();
    run::EmittingSink sink(reports_.emitter());
    run::Scheduler scheduler(plan_, clock_.now(), sink);
    left_ = run::run_loop(plan_, scheduler, executor_, reports_.emitter(), clock_).left;
  }

  void make_tools() {
    ssh::SshOptions ssh_options;
    ssh_options.jitter_seed = static_cast<std::uint64_t>(clock_.wall().time_since_epoch().count());
    ssh_options.on_notice = [this](const ssh::Notice& notice) {
      const bool warning = notice.level == ssh::Notice::Level::warning;
      executor_.tell({event::LogLine{"ssh", notice.message, std::nullopt, true},
                      {notice.node, {}, {}, 0},
                      warning ? event::Level::warn : event::Level::info,
                      {}});
    };
    transport_ = std::make_unique<ssh::SshTransport>(processes_, ssh_options);
    agents_ = std::make_unique<run::AgentFinder>(agent_folders(environment_variable), system_name(),
                                                 nix_);
    run::StepRunnerOptions options;
    options.run = reports_.emitter().run();
    options.holder_url = detect_trigger(environment_variable).url;
    options.nix_arguments = options_.nix_arguments;
    options.passwords = std::move(passwords_);
    step_runner_ =
        std::make_unique<run::StepRunner>(plan_, *transport_, nix_, *agents_, std::move(options));
  }

  run::StepResult do_step(const run::Step& step, run::StepContext& context) {
    return step.kind == run::StepKind::evaluate ? evaluate_flakes(step, context)
                                                : step_runner_->run(step, context);
  }

  static constexpr run::StepId evaluate_step = 1'000'000'000; ///< apart from the scheduler's

  const RunOptions& options_;
  SignalWatch& signals_;
  std::atomic<int> exit_code_ = -1; ///< once the run's end was told
  SystemClock clock_;
  LoadedPlan loaded_;
  SudoPasswords sudo_passwords_; ///< before anything is started that could inherit them
  PosixProcessRunner processes_;
  nix::LocalNix nix_;
  std::optional<std::string> evaluation_error_;
  std::size_t problems_told_ = 0;
  plan::Plan plan_;
  run::Passwords passwords_;
  std::unique_ptr<ssh::Transport> transport_;
  std::unique_ptr<run::AgentFinder> agents_;
  std::unique_ptr<run::StepRunner> step_runner_;
  bool left_ = false;
  run::ThreadExecutor executor_;
  RunReports reports_;
};

} // namespace

event::ExitCode run_deploy(const RunOptions& options, SignalWatch& signals) {
  return Deploy(options, signals).run();
}

} // namespace belay::runner
