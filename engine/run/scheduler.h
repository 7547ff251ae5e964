// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/event.h"
#include "engine/plan/plan.h"
#include "engine/run/step.h"

#include <memory>
#include <optional>

// Given what has finished and what time it is, what starts next? A pure decision: no thread, no
// clock, no I/O, no randomness. It decides and it tells: node.queued, node.started, node.finished,
// and stage.finished (skipped) for announced stages that were never reached; what happens inside a
// step is told by the step itself. The failure policy and the rules of cancellation are here and
// nowhere else.

namespace belay::run {

/// Where the scheduler says what it decided.
class DraftSink {
public:
  virtual ~DraftSink() = default;
  virtual void tell(event::Draft draft) = 0;
};

class Scheduler {
public:
  /// Both must outlive the scheduler. Tells node.queued for every node at once.
  Scheduler(const plan::Plan& plan, Instant now, DraftSink& sink);
  ~Scheduler();

  /// The next step to start, or nullopt if nothing can start now.
  std::optional<Step> next(Instant now);
  /// A step that next() gave has ended.
  void finished(const StepResult& result, Instant now);
  /// First signal: nothing starts any more but Rollback and Finish of what is decided already.
  void cancel(Instant now);
  /// When the run's patience with activating nodes ends (grace less one second); nullopt: never, or
  /// past.
  std::optional<Instant> abandon_at() const;
  /// When next() may have something although nothing finished; never in the past.
  std::optional<Instant> wake_at(Instant now) const;
  /// Every node has ended and no step runs.
  bool done() const;

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace belay::run
