// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/teller.h"

#include "engine/base/error.h"

#include <algorithm>
#include <vector>

namespace belay::agent {

namespace {
constexpr std::chrono::milliseconds look_interval{20};
constexpr std::chrono::seconds keeper_interval{1};
} // namespace

Teller::Teller(OutputChannel& out, const Host& host)
    : out_(out), host_(host), thread_([this] { run(); }) {}

Teller::~Teller() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Teller::follow(const TransactionFiles& files, Follower::Options options) {
  const std::lock_guard lock(mutex_);
  const bool known = std::any_of(followers_.begin(), followers_.end(), [&](const auto& follower) {
    return follower.files().id() == files.id();
  });
  if (!known) {
    followers_.emplace_back(files, host_.clock, options);
  }
}

void Teller::tell_again(const std::string& transaction, const std::string& profile) {
  const std::lock_guard lock(mutex_);
  for (auto& follower : followers_) {
    if (follower.files().id() == transaction) {
      follower.tell_again(profile);
    }
  }
}

bool Teller::tell_news() {
  std::vector<Message> news;
  {
    const std::lock_guard lock(mutex_);
    for (auto& follower : followers_) {
      for (auto& message : follower.poll()) {
        news.push_back(std::move(message));
      }
    }
  }
  return std::all_of(news.begin(), news.end(),
                     [&](const Message& message) { return out_.send(message); });
}

void Teller::look_after_keepers() {
  std::vector<TransactionFiles> open;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& follower : followers_) {
      if (!follower.closed()) {
        open.push_back(follower.files());
      }
    }
  }
  for (const auto& files : open) {
    ensure_keeper(files, host_);
  }
}

void Teller::run() {
  auto next_heartbeat = host_.clock.now() + heartbeat_interval;
  auto next_keeper = host_.clock.now() + keeper_interval;
  for (bool heard = true; heard;) {
    try {
      heard = tell_news();
      if (host_.clock.now() >= next_keeper) {
        next_keeper = host_.clock.now() + keeper_interval;
        look_after_keepers();
      }
    } catch (const std::exception&) {
      // A file that could not be read this time (a full table of descriptors, say) is read next
      // time; the heartbeat must go on.
    }
    if (host_.clock.now() >= next_heartbeat) {
      next_heartbeat = host_.clock.now() + heartbeat_interval;
      heard = heard && out_.send(Heartbeat{});
    }
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, look_interval, [this] { return stopping_; })) {
      return;
    }
  }
}

} // namespace belay::agent
