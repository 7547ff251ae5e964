// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/event.h"
#include "engine/plan/plan.h"
#include "engine/run/step.h"

#include <memory>
#include <optional>

// Given what has finished and what time it is, what starts next? A pure decision: no thread, no
// clock, no I/O, no randomness. It decides and it tells: node.queued, node.started, node.finished,
// and stage.finished (skipped) for the announced stages of steps that never started; what happens
// inside a step is told by the step itself. The failure policy and the rules of cancellation are
// here and nowhere else.
//
// A node's way: Survey, Build (all that are ready, in one step), Copy, Activate, then Rollback if
// the run fails and takes it back, then Finish. From a successful Copy on, the target holds a
// transaction open for us, so a node that has got so far ends with Finish, whatever its verdict -
// unless contact is lost, a rollback failed or the target was told to decide alone. A node's
// verdict is told once, when nothing can change it any more.

namespace belay::run {

/// Where the scheduler says what it decided.
class DraftSink {
public:
  virtual ~DraftSink() = default;
  virtual void tell(event::Draft draft) = 0;
};

class Scheduler {
public:
  /// Both must outlive the scheduler. Tells node.queued for every node at once, and how those ended
  /// that the plan skips or that could not be evaluated.
  Scheduler(const plan::Plan& plan, Instant now, DraftSink& sink);
  ~Scheduler();

  /// The next step to start, or nullopt if nothing can start now.
  std::optional<Step> next(Instant now);
  /// A step that next() gave has ended. A node that the result leaves out counts as an internal
  /// error. Throws Error{internal} for a step that does not run.
  void finished(const StepResult& result, Instant now);
  /// First signal: nothing starts any more but Finish of nodes whose verdict is known, and that
  /// only until abandon_at(). What was confirmed stays. Idempotent.
  void cancel(Instant now);
  /// Second signal, after cancel(): nobody waits any more. Tells the end of each node whose verdict
  /// is known or that waits; of one that a step is at work on nothing is said.
  void leave(Instant now);
  /// When the run's patience with activating nodes ends: grace less one second after cancel().
  /// nullopt: not cancelled.
  std::optional<Instant> abandon_at() const;
  /// When next() may have something to do although nothing finished; never at or before `now`.
  std::optional<Instant> wake_at(Instant now) const;
  /// Every node has ended and no step runs.
  bool done() const;

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace belay::run
