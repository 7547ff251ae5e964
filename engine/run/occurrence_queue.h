// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/run/step.h"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>

// The one ordered door between what happens on many threads and the loop that takes note of it.
// The loop may be slow or stuck - a pipe that nobody reads, a full disk - and the queue is bounded,
// so a full one must choose. Who may wait, waits: a build's output is held back until there is
// room. Who must not wait - an activation, whose target rolls back if it is not confirmed in time -
// loses log lines and progress instead, and the loss is told. Facts are not lost before `fact_room`
// is used up, which takes tens of thousands of them while the loop stands still.

namespace belay::run {

class OccurrenceQueue {
public:
  /// Beyond this many, logs and progress wait or are left out.
  static constexpr std::size_t log_room = 4096;
  /// Beyond this many, other events do.
  static constexpr std::size_t fact_room = 16 * log_room;

  enum class WhenFull { wait, leave_out };

  /// Any thread. Returns without a trace once the queue is closed.
  void put(StepOutput output, WhenFull when_full);
  /// Any thread; never waits, never left out: there is one result a step, and signals beyond the
  /// eighth that waits say nothing new.
  void put(StepResult result);
  void put(Interrupt interrupt);

  /// The oldest one; waits for `at_most` if there is none (nullopt: for as long as it takes), then
  /// nullopt. One thread.
  std::optional<Occurrence> take(std::optional<Duration> at_most);

  /// Nobody takes any more: whoever waits in put() goes on.
  void close();

private:
  void push(std::unique_lock<std::mutex>& lock, Occurrence occurrence);
  void tell_losses();

  std::mutex mutex_; ///< guards everything
  std::condition_variable filled_, emptied_;
  std::deque<Occurrence> queue_;
  std::size_t interrupts_ = 0; ///< in the queue
  std::size_t left_out_ = 0;   ///< since the last time that this was told
  bool closed_ = false;
};

} // namespace belay::run
