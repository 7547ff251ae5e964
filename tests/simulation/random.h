// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/clock.h"

#include <cstddef>
#include <cstdint>

// Chance from a seed: the same numbers on every machine and with every library, which the
// distributions of <random> do not promise.

namespace belay::simulation {

class Random {
public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  /// splitmix64 (Steele, Lea, Flood 2014; public domain reference by Vigna).
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  /// 0 to `bound` - 1.
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }
  bool one_in(std::size_t n) { return below(n) == 0; }
  bool percent(std::size_t chance) { return below(100) < chance; }
  Duration up_to(Duration longest) {
    return Duration(
        static_cast<Duration::rep>(below(static_cast<std::size_t>(longest.count()) + 1)));
  }

private:
  std::uint64_t state_;
};

} // namespace belay::simulation
