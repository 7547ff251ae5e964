// SPDX-License-Identifier: Apache-2.0
#include "engine/run/occurrence_queue.h"

#include <string>
#include <utility>

namespace belay::run {

namespace {

constexpr std::size_t interrupt_room = 8;

bool may_be_left_out(const event::Draft& draft) {
  return std::holds_alternative<event::LogLine>(draft.payload) ||
         std::holds_alternative<event::StageProgress>(draft.payload);
}

StepOutput loss_notice(std::size_t count) {
  event::LogLine line;
  line.stream = "belay";
  line.text = std::to_string(count) + " log lines were left out: the reports could not keep up";
  return {0, event::Draft{std::move(line), {}, event::Level::warn, {}}};
}

} // namespace

void OccurrenceQueue::put(StepOutput output, WhenFull when_full) {
  std::unique_lock lock(mutex_);
  const std::size_t room = may_be_left_out(output.draft) ? log_room : fact_room;
  if (when_full == WhenFull::wait)
    emptied_.wait(lock, [&] { return closed_ || queue_.size() < room; });
  if (closed_)
    return;
  if (queue_.size() < room)
    return push(lock, std::move(output));
  ++left_out_;
}

void OccurrenceQueue::put(StepResult result) {
  std::unique_lock lock(mutex_);
  push(lock, std::move(result));
}

void OccurrenceQueue::put(Interrupt interrupt) {
  std::unique_lock lock(mutex_);
  if (interrupts_ == interrupt_room)
    return;
  ++interrupts_;
  push(lock, interrupt);
}

void OccurrenceQueue::push(std::unique_lock<std::mutex>& lock, Occurrence occurrence) {
  queue_.push_back(std::move(occurrence));
  lock.unlock();
  filled_.notify_one();
}

/// Once there is room again, so that the notice does not make the lack of it worse.
void OccurrenceQueue::tell_losses() {
  if (left_out_ > 0 && queue_.size() < log_room / 2)
    queue_.push_back(loss_notice(std::exchange(left_out_, 0)));
}

std::optional<Occurrence> OccurrenceQueue::take(std::optional<Duration> at_most) {
  std::unique_lock lock(mutex_);
  const auto something = [&] { return !queue_.empty(); };
  if (!at_most)
    filled_.wait(lock, something);
  else if (!filled_.wait_for(lock, *at_most, something))
    return std::nullopt;
  Occurrence first = std::move(queue_.front());
  queue_.pop_front();
  if (std::holds_alternative<Interrupt>(first))
    --interrupts_;
  tell_losses();
  lock.unlock();
  emptied_.notify_all(); // they wait for different amounts of room
  return first;
}

void OccurrenceQueue::close() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  emptied_.notify_all();
}

} // namespace belay::run
