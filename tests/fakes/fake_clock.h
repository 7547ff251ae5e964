// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/clock.h"

#include <atomic>

// A clock that stands still until a test moves it. Both kinds of time move together. Any thread.

namespace belay::fakes {

class FakeClock final : public Clock {
public:
  /// Some time after boot, on a day after this was written.
  static constexpr Duration start{1'000'000};
  static constexpr WallTime wall_start{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22}};

  Instant now() const override { return Instant(Duration(now_.load())); }
  WallTime wall() const override { return wall_start + (now().time_since_epoch() - start); }
  /// Does not wait: the time becomes `when`.
  void sleep_until(Instant when) override { set(when); }

  void advance(Duration by) { now_ += by.count(); }
  /// Never backwards.
  void set(Instant when) {
    if (when > now())
      now_ = when.time_since_epoch().count();
  }

private:
  std::atomic<Duration::rep> now_{start.count()};
};

} // namespace belay::fakes
