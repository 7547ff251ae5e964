// SPDX-License-Identifier: Apache-2.0
#include "engine/run/thread_executor.h"

#include "engine/base/error.h"

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

namespace belay::run {

namespace {

/// The wait uses a clock that stands still while the machine sleeps; it looks at the real one at
/// least this often.
constexpr std::chrono::seconds longest_wait{5};

bool works_on_target(StepKind kind) {
  return kind == StepKind::activate || kind == StepKind::rollback;
}

/// An activation must not be late for its confirmation because a report is slow.
OccurrenceQueue::WhenFull when_full(StepKind kind) {
  return works_on_target(kind) || kind == StepKind::finish ? OccurrenceQueue::WhenFull::leave_out
                                                           : OccurrenceQueue::WhenFull::wait;
}

/// A step that threw: nobody knows how far it got. Where it may have touched the target, that is
/// what has to be said.
NodeResult failed_node(NodeIndex node, StepKind kind, ErrorKind error, const std::string& message) {
  NodeResult result;
  result.node = node;
  result.message = message;
  result.outcome =
      error == ErrorKind::cancelled ? event::Outcome::cancelled : event::Outcome::error;
  result.reason = reason_of(error);
  if (!works_on_target(kind))
    return result;
  result.outcome = event::Outcome::error;
  result.reason = event::reasons::state_unknown;
  result.touched = true;
  result.rollback = event::Rollback::unknown;
  return result;
}

StepResult failed_step(const Step& step, ErrorKind error, const std::string& message) {
  StepResult result;
  result.id = step.id;
  result.error = message;
  for (const NodeIndex node : step.nodes)
    result.nodes.push_back(failed_node(node, step.kind, error, message));
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
        threads_.emplace_back([this] { work(); });
      } catch (const std::system_error& error) { // no more threads or memory
        waiting_.pop_back();
        queue_.put(failed_step(step, ErrorKind::system, std::string("thread: ") + error.what()));
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
  } catch (const Error& error) {
    result = failed_step(step, error.kind(), error.message());
  } catch (const std::exception& error) {
    result = failed_step(step, ErrorKind::internal, error.what());
  } catch (...) {
    result = failed_step(step, ErrorKind::internal, "an unknown exception");
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
