// SPDX-License-Identifier: Apache-2.0
#include "engine/base/clock.h"

#include <ctime>
#include <thread>

namespace belay {

namespace {
#ifdef CLOCK_BOOTTIME
constexpr clockid_t boot_clock_id = CLOCK_BOOTTIME;
#else
constexpr clockid_t boot_clock_id = CLOCK_MONOTONIC; // darwin's counts sleep as well
#endif
} // namespace

BootClock::time_point BootClock::now() {
  timespec now{};
  clock_gettime(boot_clock_id, &now);
  return time_point(std::chrono::duration_cast<Duration>(std::chrono::seconds(now.tv_sec) +
                                                         std::chrono::nanoseconds(now.tv_nsec)));
}

Instant SystemClock::now() const {
  return BootClock::now();
}

WallTime SystemClock::wall() const {
  return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

void SystemClock::sleep_until(Instant when) {
  for (auto left = when - now(); left > Duration::zero(); left = when - now()) {
    std::this_thread::sleep_for(left);
  }
}

} // namespace belay
