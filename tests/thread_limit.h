// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/catch.h"

#include <fstream>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

// The limit of a CI container's processes, for this process alone and also for root: threads ask
// for large stacks, for which there is so much room that `more` of them can still be made.

namespace belay::tests {

class ThreadLimit {
public:
  explicit ThreadLimit(rlim_t more) {
    pthread_attr_t large;
    REQUIRE(pthread_getattr_default_np(&usual_) == 0);
    REQUIRE(pthread_attr_init(&large) == 0);
    REQUIRE(pthread_attr_setstacksize(&large, stack) == 0);
    REQUIRE(pthread_setattr_default_np(&large) == 0);
    pthread_attr_destroy(&large);
    REQUIRE(getrlimit(RLIMIT_AS, &room_) == 0);
    REQUIRE(room_.rlim_cur == RLIM_INFINITY);
    limit(in_use() + more * stack + stack / 2);
  }
  ~ThreadLimit() {
    setrlimit(RLIMIT_AS, &room_);
    pthread_setattr_default_np(&usual_);
    pthread_attr_destroy(&usual_);
  }
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

private:
  static constexpr rlim_t stack = 512 * 1024 * 1024; // far above what else is asked for meanwhile

  static rlim_t in_use() {
    rlim_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    return pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
  }
  void limit(rlim_t bytes) const {
    rlimit less = room_;
    less.rlim_cur = bytes;
    REQUIRE(setrlimit(RLIMIT_AS, &less) == 0);
  }

  pthread_attr_t usual_;
  rlimit room_{};
};

} // namespace belay::tests
