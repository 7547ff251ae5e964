// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/event.h"
#include "engine/plan/plan.h"
#include "engine/run/executor.h"
#include "engine/run/scheduler.h"

#include <optional>

// One thread in which everything becomes an order: start what the scheduler gives, wait for the one
// next thing that happens, say it, hand it on. This thread alone numbers events and calls
// reporters.
//
// Signals: the first one is told, stops the work and cancels the scheduler; when the grace is over,
// activations are left to their targets. A second one returns at once - what still runs is then
// left to the executor's destructor or to the end of the process.
//
// The run's deadline is the same without anybody: nothing new is begun, and what is activating has
// the grace before it is left to its target. A signal after it is still the first one.

namespace belay::run {

/// A scheduler's drafts straight to the emitter. Same thread as the loop.
class EmittingSink final : public DraftSink {
public:
  explicit EmittingSink(event::Emitter& emitter) : emitter_(emitter) {}
  void tell(event::Draft draft) override { emitter_.emit(std::move(draft)); }

private:
  event::Emitter& emitter_;
};

/// Between two heartbeat events (outputs: every 30 s, so that a CI job is never silent for long).
inline constexpr std::chrono::seconds heartbeat_period{30};
/// How many nodes a heartbeat names at most: its line has a limit, and more help nobody.
inline constexpr std::size_t heartbeat_names = 200;

/// How a loop ended.
struct LoopEnd {
  int signal = 0;       ///< the first that came, 0: none
  bool left = false;    ///< a second one came: flush the reports and leave
  bool expired = false; ///< the deadline passed before
};

/// Runs the scheduler to its end, or to `deadline` and what that leaves. `plan` is the one that the
/// scheduler has. Throws only what the scheduler throws (Error{internal}) and what the emitter's
/// sink lets through.
LoopEnd run_loop(const plan::Plan& plan, Scheduler& scheduler, Executor& executor,
                 event::Emitter& emitter, const Clock& clock, Instant deadline = Instant::max());

/// How one step outside of a scheduler (evaluate) ended.
struct SingleStepEnd {
  StepResult result; ///< meaningless if `left`
  int signal = 0;    ///< the first that came: the run ends here, whatever the result says
  bool left = false;
  bool expired = false; ///< the deadline passed: the same
  bool stopped() const { return signal != 0 || expired; }
};

/// Runs one step with the same handling of signals and deadline: the first stops it and it is
/// awaited.
SingleStepEnd run_single_step(const Step& step, Executor& executor, event::Emitter& emitter,
                              const Clock& clock, Instant deadline = Instant::max());

} // namespace belay::run
