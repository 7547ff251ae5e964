// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/run/executor.h"
#include "engine/run/occurrence_queue.h"
#include "engine/run/step_context.h"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

// Steps on threads. Each running step has a thread of its own, since all that it does is wait; a
// thread whose step has ended takes the next one, so there are never more threads than steps have
// run at once, which the scheduler's limits bound. What steps tell, how they end, and signals all
// go into one queue, from which the loop takes them in order.

namespace belay::run {

class ThreadExecutor final : public Executor {
public:
  /// `run_step` does the work of a step, on one of our threads; what it throws becomes an error of
  /// each of the step's nodes. `clock` says when a wait is over. Throws Error{system}.
  ThreadExecutor(StepFunction run_step, const Clock& clock);
  /// Stops everything that runs, as stop(abandon) does, and waits for it.
  ~ThreadExecutor() override;
  ThreadExecutor(const ThreadExecutor&) = delete;
  ThreadExecutor& operator=(const ThreadExecutor&) = delete;

  void start(const Step& step) override;
  void stop(Stop how) override;
  Occurrence wait(std::optional<Instant> wake_at) override;

  /// A signal has come. Any thread, but not a signal handler.
  void interrupt(int signal);
  /// Something to be told that no step does (a webhook was delivered). Any thread; never waits.
  void tell(event::Draft draft);

private:
  void work();
  void run_one(const Step& step);

  StepFunction run_step_;
  const Clock& clock_;
  CancelSource work_stop_, abandon_stop_;
  OccurrenceQueue queue_;

  std::mutex mutex_; ///< guards what follows
  std::condition_variable wake_;
  std::deque<Step> waiting_; ///< started, but no thread has taken it yet
  std::size_t idle_ = 0;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

} // namespace belay::run
