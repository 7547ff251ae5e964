// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/handshake_gate.h"

#include "engine/base/error.h"

#include <algorithm>
#include <cerrno>
#include <poll.h>

namespace belay::ssh {
namespace {

constexpr Duration largest_stagger = std::chrono::milliseconds(30);
constexpr Duration first_back_off = std::chrono::milliseconds(200);
constexpr Duration largest_back_off = std::chrono::seconds(5);

[[noreturn]] void not_let_in(Ready ready) {
  if (ready == Ready::cancelled)
    throw Error(ErrorKind::cancelled, "cancelled");
  throw Error(ErrorKind::unreachable, "other logins to this host took all the time");
}

} // namespace

HandshakeGate::HandshakeGate(std::size_t at_once, std::uint64_t jitter_seed)
    : at_once_(std::max<std::size_t>(at_once, 1)), random_(jitter_seed) {}

HandshakeGate::Place HandshakeGate::enter(const std::string& destination, const Wait& wait) {
  UniqueFd let_in;
  UniqueFd bell;
  bool alone = false;
  {
    const std::lock_guard lock(mutex_);
    auto& lane = lanes_[destination];
    alone = lane.inside == 0;
    if (lane.inside < at_once_) {
      ++lane.inside;
    } else {
      std::tie(let_in, bell) = make_pipe();
      lane.queue.push_back(bell.get());
    }
  }
  if (let_in) {
    const auto ready = wait_readable(let_in.get(), wait);
    const std::lock_guard lock(mutex_);
    // Whoever is out of the queue has been given the place, also if the deadline came in between.
    if (std::erase(lanes_[destination].queue, bell.get()) > 0)
      not_let_in(ready);
  }
  Place place(*this, destination);
  if (!alone)
    wait_out(jitter(largest_stagger), wait);
  return place;
}

void HandshakeGate::leave(const std::string& destination) {
  const std::lock_guard lock(mutex_);
  auto& lane = lanes_[destination];
  if (lane.queue.empty()) {
    --lane.inside;
    return;
  }
  const int bell = lane.queue.front(); // its owner holds it open until he has taken the mutex
  lane.queue.pop_front();
  write_all(bell, "!");
}

Duration HandshakeGate::jitter(Duration most) {
  const std::lock_guard lock(mutex_);
  return Duration(std::uniform_int_distribution<Duration::rep>(0, most.count())(random_));
}

Duration HandshakeGate::back_off(int attempt) {
  const auto doubled = first_back_off * (1 << std::clamp(attempt - 2, 0, 10));
  const auto whole = std::min(doubled, largest_back_off);
  return whole / 2 + jitter(whole);
}

void wait_out(Duration duration, const Wait& wait) {
  const Wait until = wait.within(duration);
  pollfd cancel{wait.cancel.poll_fd(), POLLIN, 0};
  do {
    poll(&cancel, 1, until.poll_milliseconds());
    wait.cancel.throw_if_cancelled();
  } while (!until.expired());
}

} // namespace belay::ssh
