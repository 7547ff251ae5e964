// SPDX-License-Identifier: Apache-2.0
#include "reporters/line_writer.h"

#include "engine/base/error.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <pthread.h>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace belay::reporters {

namespace {

/// A pipe that polls as writable takes this much without blocking, even where the descriptor is in
/// blocking mode because others share it (output_target.h).
constexpr std::size_t safe_write = PIPE_BUF;

/// A write to a pipe without a reader shall be EPIPE here, whatever the process does with SIGPIPE.
void block_sigpipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

/// False when cancelled.
bool write_waiting(int fd, std::string_view text, const Wait& wait) {
  while (!text.empty()) {
    if (wait_writable(fd, wait) != Ready::yes)
      return false;
    const ssize_t written = ::write(fd, text.data(), std::min(text.size(), safe_write));
    if (written < 0 && errno != EINTR && errno != EAGAIN)
      throw Error::from_errno("writing", errno);
    text.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
  }
  return true;
}

} // namespace

LineWriter::LineWriter(OutputTarget output) : output_(std::move(output)) {
  if (!output_.is_file)
    thread_ = std::thread([this] { serve(); });
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
    } catch (const Error& error) {
      problem = error.message();
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
