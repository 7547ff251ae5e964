// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/cancel.h"
#include "reporters/output_target.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

// Writes lines to a descriptor without ever waiting for whoever reads it. A regular file is written
// at once, so that a line is in it when write() returns. A pipe, terminal or socket is served by a
// thread from a queue of bounded size: a reader that stops reading fills the queue, which is an
// error for the report and nothing for the deploy.

namespace belay::reporters {

class LineWriter {
public:
  static constexpr std::size_t queue_limit = 8 * 1024 * 1024; ///< bytes

  explicit LineWriter(OutputTarget output);
  ~LineWriter(); ///< what is still queued is dropped
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  /// Adds the line feed. Throws Error{system} when the other end is gone, the disk is full or the
  /// queue is. One thread.
  void write(std::string line);
  /// Waits until everything is written; throws Error{system} if it is not by `deadline`.
  void drain(Instant deadline);

private:
  void serve();
  void throw_if_broken();

  OutputTarget output_;
  CancelSource stop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> queue_; ///< guarded by mutex_, as all below
  std::size_t queued_bytes_ = 0;
  bool busy_ = false;
  bool stopping_ = false;
  std::string broken_; ///< why the thread gave up; empty = it did not
  std::thread thread_;
};

} // namespace belay::reporters
