// SPDX-License-Identifier: Apache-2.0
#include "reporters/line_writer.h"

#include "engine/base/error.h"
#include "engine/base/thread.h"
#include "reporters/patient_write.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace belay::reporters {

LineWriter::LineWriter(OutputTarget output) : output_(std::move(output)) {
  if (!output_.is_file)
    thread_ = start_thread("writing to a pipe", [this] { serve(); });
}

LineWriter::~LineWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.cancel();
  changed_.notify_all();
  if (thread_.joinable())
    thread_.join();
}

void LineWriter::write(std::string line) {
  line += '\n';
  if (output_.is_file) {
    write_all(output_.fd.get(), line);
    return;
  }
  const std::lock_guard lock(mutex_);
  throw_if_broken();
  if (queued_bytes_ + line.size() > queue_limit)
    throw Error(ErrorKind::system, "its reader does not read");
  queued_bytes_ += line.size();
  queue_.push_back(std::move(line));
  if (queue_.size() == 1) // else the thread is awake, and looks again before it sleeps
    changed_.notify_all();
}

void LineWriter::drain(Instant deadline) {
  if (output_.is_file)
    return;
  std::unique_lock lock(mutex_);
  const auto left = std::max(deadline - BootClock::now(), Duration::zero());
  const auto limit = std::min<Duration>(left, std::chrono::hours(1));
  const bool done = changed_.wait_for(
      lock, limit, [this] { return !broken_.empty() || (queue_.empty() && !busy_); });
  throw_if_broken();
  if (!done)
    throw Error(ErrorKind::system, "its reader did not read everything in time");
}

void LineWriter::throw_if_broken() {
  if (!broken_.empty())
    throw Error(ErrorKind::system, broken_);
}

void LineWriter::serve() {
  block_sigpipe();
  const Wait until_stopped{Instant::max(), stop_.token()};
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_)
      return;
    const std::string line = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    lock.unlock();
    std::string problem;
    try {
      write_waiting(output_.fd.get(), line, until_stopped);
    } catch (const std::exception& error) {
      problem = error.what();
    }
    lock.lock();
    busy_ = false;
    queued_bytes_ -= line.size();
    broken_ = problem;
    changed_.notify_all();
    if (!broken_.empty())
      return;
  }
}

} // namespace belay::reporters
