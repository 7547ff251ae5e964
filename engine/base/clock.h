// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

// Time comes in two kinds that never mix. An Instant is for measuring and for deadlines: on Linux
// it is CLOCK_BOOTTIME, which nobody can set and which goes on while the machine is asleep, so that
// a deadline written down by one process means the same to another one of the same boot. A WallTime
// is for people and for event stamps. Durations are std::chrono, never ints.

namespace belay {

using Duration = std::chrono::milliseconds;

/// The tag of Instant's time line: milliseconds since this machine's boot. Comparable between
/// processes of one boot, meaningless across boots (keep the boot id beside a stored value).
struct BootClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;
  static time_point now();
};

using Instant = BootClock::time_point;
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// Where code that waits or stamps gets its time from, so that tests can turn it by hand.
class Clock {
public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  virtual WallTime wall() const = 0;
  /// Returns at or after `when`; at once if it has passed.
  virtual void sleep_until(Instant when) = 0;
};

/// The machine's own time. Stateless, any thread.
class SystemClock final : public Clock {
public:
  Instant now() const override;
  WallTime wall() const override;
  void sleep_until(Instant when) override;
};

} // namespace belay
