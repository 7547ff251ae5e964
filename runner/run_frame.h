// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/clock.h"
#include "engine/base/process.h"
#include "engine/nix/local_nix.h"
#include "engine/run/loop.h"
#include "engine/run/scheduler.h"
#include "engine/run/thread_executor.h"
#include "runner/run_reports.h"
#include "runner/signals.h"

#include <atomic>
#include <functional>
#include <memory>

// What every run stands in, whatever it does: reports that are open from the first event to the
// last, signals that end it in an orderly way, workers for what takes long, and one exit code. What
// goes on inside - preparing the plan, deploying it - is told what it may use of this and nothing
// of how it ends.
//
// The phases come one after another in the thread of run(), which alone emits. A second signal ends
// the process while workers may still be at it, so whatever a worker writes to belongs to it (a
// shared_ptr), or outlives the frame.

namespace belay::runner {

class RunFrame {
public:
  /// Opens the reports, with the webhooks' variables from `secrets`. Throws Error{usage} for one
  /// that cannot be written.
  /// `deadline`: counted from here; zero: none.
  RunFrame(SignalWatch& signals, const plan::Reports& reports,
           const std::vector<plan::Webhook>& webhooks, const Environment& secrets,
           plan::Seconds deadline = {});
  ~RunFrame();
  RunFrame(const RunFrame&) = delete;
  RunFrame& operator=(const RunFrame&) = delete;

  /// Runs the phases, tells the end and finishes the reports. What `phases` throws becomes an event
  /// and exit 1. After a second signal this does not return: the process ends.
  event::ExitCode run(const std::function<void()>& phases);

  // ---- for the phases ----

  const Clock& clock() const { return clock_; }
  ProcessRunner& processes() { return processes_; }
  nix::NixStore& store() { return store_; }
  RunReports& reports() { return reports_; }
  /// For what happens in other threads (webhooks, connections).
  void tell(event::Draft draft) { executor_.tell(std::move(draft)); }

  /// Tells an error that ends the run, before there is a node that it could belong to.
  void tell_problem(std::string_view code, const std::string& file, const std::string& message);

  /// Something that takes long before there are nodes, in a worker: the first signal fires
  /// context.work() and is told. Where the end is `left`, the worker may still be at it.
  run::SingleStepEnd work(std::function<void(run::StepContext&)> task);

  /// All steps of the plan; `do_step` runs in workers and goes when they are done, while what it
  /// may tell is still heard.
  run::LoopEnd deploy(const plan::Plan& plan, run::StepFunction do_step);

private:
  void on_signal(int signal);

  SignalWatch& signals_;
  std::atomic<int> exit_code_ = -1; ///< once the run's end was told
  bool left_ = false;
  SystemClock clock_;
  const Instant deadline_;
  PosixProcessRunner processes_;
  nix::LocalNix store_;
  run::StepFunction do_step_; ///< changed only while no worker is at it
  run::ThreadExecutor executor_;
  RunReports reports_;
};

} // namespace belay::runner
