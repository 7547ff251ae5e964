// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <csignal>
#include <functional>
#include <thread>

// SIGINT and SIGTERM come in as ordinary calls: they are blocked in every thread, and one thread
// waits for them and passes them on. Nothing ever runs in a signal handler.

namespace belay::runner {

class SignalWatch {
public:
  /// Make it before any other thread: threads inherit the blocked mask. Also ignores SIGPIPE and
  /// SIGHUP: a closed pipe is an error value, a lost terminal no reason to stop.
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// From now on `on_signal` is called, by the watch's own thread, with each signal. Once only.
  void start(std::function<void(int signal)> on_signal);
  /// Ends the watch: on_signal is not called any more once this returns. Idempotent.
  void stop();

private:
  sigset_t watched_{};
  std::thread thread_;
};

} // namespace belay::runner
