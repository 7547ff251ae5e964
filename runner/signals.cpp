// SPDX-License-Identifier: Apache-2.0
#include "runner/signals.h"

#include "engine/base/thread.h"

#include <pthread.h>

namespace belay::runner {

namespace {

constexpr int end_of_watch = SIGUSR2; // from the destructor to its own thread

} // namespace

SignalWatch::SignalWatch() {
  sigemptyset(&watched_);
  for (const int number : {SIGINT, SIGTERM, end_of_watch}) {
    sigaddset(&watched_, number);
  }
  pthread_sigmask(SIG_BLOCK, &watched_, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);
}

SignalWatch::~SignalWatch() {
  stop();
}

void SignalWatch::stop() {
  if (thread_.joinable()) {
    pthread_kill(thread_.native_handle(), end_of_watch);
    thread_.join();
  }
}

void SignalWatch::start(std::function<void(int signal)> on_signal) {
  thread_ =
      start_thread("watching for signals", [watched = watched_, on_signal = std::move(on_signal)] {
        for (;;) {
          int number = 0;
          if (sigwait(&watched, &number) != 0) {
            continue;
          }
          if (number == end_of_watch) {
            return;
          }
          on_signal(number);
        }
      });
}

} // namespace belay::runner
