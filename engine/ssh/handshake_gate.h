// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/cancel.h"
#include "engine/base/file.h"

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <random>
#include <string>

// One sshd takes only so many logins at a time: by default it begins to turn some away when ten
// have not finished (MaxStartups 10:30:100). So those to one destination pass a gate that lets in a
// few at once, first come first served, each a random moment after the one before. The gate also
// draws the back-off of those that were turned away nevertheless.

namespace belay::ssh {

/// Any thread.
class HandshakeGate {
public:
  HandshakeGate(std::size_t at_once, std::uint64_t jitter_seed);

  /// Gives its place back at the end of its life.
  class Place {
  public:
    Place() = default; ///< of a lane that has no gate
    Place(HandshakeGate& gate, std::string destination)
        : gate_(&gate), destination_(std::move(destination)) {}
    Place(Place&& other) noexcept
        : gate_(std::exchange(other.gate_, nullptr)), destination_(std::move(other.destination_)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (gate_)
        gate_->leave(destination_);
    }

  private:
    HandshakeGate* gate_ = nullptr;
    std::string destination_;
  };

  /// Waits for a place. Throws Error{cancelled | unreachable}.
  Place enter(const std::string& destination, const Wait& wait);

  /// Before attempt number `attempt` (2, 3, …): doubling from 200 ms up to 5 s, times 0.5 to 1.5.
  Duration back_off(int attempt);

private:
  struct Lane {
    std::size_t inside = 0;
    std::deque<int> queue; ///< write ends of the pipes that those outside wait at
  };

  void leave(const std::string& destination);
  Duration jitter(Duration most);

  const std::size_t at_once_;
  std::mutex mutex_;
  std::mt19937_64 random_;
  std::map<std::string, Lane> lanes_;
};

/// Until then or until cancelled: throws Error{cancelled}.
void wait_out(Duration duration, const Wait& wait);

} // namespace belay::ssh
