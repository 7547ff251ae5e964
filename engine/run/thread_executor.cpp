// SPDX-License-Identifier: Apache-2.0
#include "engine/run/thread_executor.h"

#include "engine/base/thread.h"

#include <algorithm>
#include <string>
#include <utility>

namespace belay::run {

namespace {

/// The wait uses a clock that stands still while the machine sleeps; it looks at the real one at
/// least this often.
constexpr std::chrono::seconds longest_wait{5};

/// An activation must not be late for its confirmation because a report is slow.
OccurrenceQueue::WhenFull when_full(StepKind kind) {
  switch (kind) {
  case StepKind::activate:
  case StepKind::rollback:
  case StepKind::finish:
    return OccurrenceQueue::WhenFull::leave_out;
  case StepKind::evaluate:
  case StepKind::survey:
  case StepKind::build:
  case StepKind::copy:
    break;
  }
  return OccurrenceQueue::WhenFull::wait;
}

/// The step threw.
StepResult lost_step(const Step& step, ErrorKind error, const std::string& message) {
  StepResult result;
  result.id = step.id;
  result.error = message;
  for (const NodeIndex node : step.nodes)
    result.nodes.push_back(lost_result(node, step.kind, error, message));
  return result;
}

/// The step could not even begin.
StepResult undone_step(const Step& step, const std::string& message) {
  StepResult result;
  result.id = step.id;
  result.error = message;
  for (const NodeIndex node : step.nodes)
    result.nodes.push_back(undone_result(node, ErrorKind::system, message));
  return result;
}

} // namespace

ThreadExecutor::ThreadExecutor(StepFunction run_step, const Clock& clock)
    : run_step_(std::move(run_step)), clock_(clock) {}

ThreadExecutor::~ThreadExecutor() {
  stop(Stop::abandon);
  queue_.close();
  {
    const std::scoped_lock lock(mutex_);
    closing_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_)
    thread.join();
}

void ThreadExecutor::start(const Step& step) {
  {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back(step);
    if (waiting_.size() > idle_) {
      try {
        threads_.push_back(start_thread("a node's work", [this] { work(); }));
      } catch (const Error& error) {
        waiting_.pop_back();
        queue_.put(undone_step(step, error.message()));
      }
    }
  }
  wake_.notify_one();
}

void ThreadExecutor::work() {
  std::unique_lock lock(mutex_);
  while (!closing_) {
    if (waiting_.empty()) {
      ++idle_;
      wake_.wait(lock, [this] { return closing_ || !waiting_.empty(); });
      --idle_;
      continue;
    }
    const Step step = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    run_one(step);
    lock.lock();
  }
}

void ThreadExecutor::run_one(const Step& step) {
  StepContext context(
      [this, &step](event::Draft draft) {
        queue_.put(StepOutput{step.id, std::move(draft)}, when_full(step.kind));
      },
      work_stop_.token(), abandon_stop_.token());
  StepResult result;
  try {
    result = run_step_(step, context);
  } catch (const std::exception& caught) {
    const auto error = as_error(caught);
    result = lost_step(step, error.kind(), error.message());
  } catch (...) {
    result = lost_step(step, ErrorKind::internal, "an unknown exception");
  }
  result.id = step.id;
  queue_.put(std::move(result));
}

void ThreadExecutor::stop(Stop how) {
  work_stop_.cancel();
  if (how == Stop::abandon)
    abandon_stop_.cancel();
}

Occurrence ThreadExecutor::wait(std::optional<Instant> wake_at) {
  if (!wake_at)
    return *queue_.take(std::nullopt);
  while (true) {
    const Duration left = std::max(*wake_at - clock_.now(), Duration::zero());
    if (auto occurrence = queue_.take(std::min<Duration>(left, longest_wait)))
      return std::move(*occurrence);
    if (left == Duration::zero())
      return Timer{};
  }
}

void ThreadExecutor::interrupt(int signal) {
  queue_.put(Interrupt{signal});
}

void ThreadExecutor::tell(event::Draft draft) {
  queue_.put(StepOutput{0, std::move(draft)}, OccurrenceQueue::WhenFull::leave_out);
}

} // namespace belay::run
