// SPDX-License-Identifier: Apache-2.0
#include "runner/run_frame.h"

#include "engine/base/error.h"

#include <unistd.h>

namespace belay::runner {

namespace {

constexpr run::StepId work_step = 1'000'000'000; ///< apart from the scheduler's

} // namespace

RunFrame::RunFrame(SignalWatch& signals, const plan::Reports& reports,
                   const std::vector<plan::Webhook>& webhooks, const Environment& secrets,
                   plan::Seconds deadline)
    : signals_(signals), deadline_(deadline.count() > 0 ? clock_.now() + deadline : Instant::max()),
      store_(processes_),
      executor_([this](const run::Step& step,
                       run::StepContext& context) { return do_step_(step, context); },
                clock_),
      reports_(reports, webhooks, secrets, clock_,
               [this](event::Draft draft) { executor_.tell(std::move(draft)); }) {
  signals_.start([this](int signal) { on_signal(signal); });
}

RunFrame::~RunFrame() {
  signals_.stop(); // before anything that a signal would reach is gone
}

event::ExitCode RunFrame::run(const std::function<void()>& phases) {
  try {
    phases();
  } catch (const std::exception& error) { // nothing that began may end without a verdict
    tell_problem(reason_of(ErrorKind::internal), {}, error.what());
  }
  reports_.tell_end();
  exit_code_ = static_cast<int>(reports_.exit_code()); // from here on a signal ends the process
  reports_.finish();
  if (left_) {
    // A second signal: steps may still wait for their targets; nobody waits for them.
    _exit(exit_code_);
  }
  return reports_.exit_code();
}

void RunFrame::on_signal(int signal) {
  if (exit_code_ >= 0) {
    _exit(exit_code_); // all is told and written; only webhooks may still be under way
  }
  executor_.interrupt(signal);
}

void RunFrame::tell_problem(std::string_view code, const std::string& file,
                            const std::string& message) {
  event::DiagnosticFound found;
  found.code = code;
  found.file = file;
  reports_.emit(std::move(found), {}, event::Level::error, message);
}

run::SingleStepEnd RunFrame::work(std::function<void(run::StepContext&)> task) {
  do_step_ = [task = std::move(task)](const run::Step& step, run::StepContext& context) {
    task(context);
    run::StepResult result;
    result.id = step.id;
    return result;
  };
  const run::Step step{work_step, run::StepKind::evaluate, {}};
  auto end = run::run_single_step(step, executor_, reports_.emitter(), clock_, deadline_);
  left_ = end.left;
  return end;
}

run::LoopEnd RunFrame::deploy(const plan::Plan& plan, run::StepFunction do_step) {
  do_step_ = std::move(do_step);
  run::EmittingSink sink(reports_.emitter());
  run::Scheduler scheduler(plan, clock_.now(), sink);
  const auto end = run::run_loop(plan, scheduler, executor_, reports_.emitter(), clock_, deadline_);
  left_ = end.left;
  if (!left_) {
    do_step_ = nullptr; // its connections may tell something as long as they live
  }
  return end;
}

} // namespace belay::runner
