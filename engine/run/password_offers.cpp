// SPDX-License-Identifier: Apache-2.0
#include "engine/run/password_offers.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

namespace belay::run {

namespace {

constexpr int most_offers = 2; // faillock's default shuts out at the third

} // namespace

PasswordOffers::Key PasswordOffers::key_of(const std::string& node, const AgentStart& start) {
  return {node, start.login, start.password.get()};
}

void PasswordOffers::admit(const std::string& node, const AgentStart& start) const {
  const std::lock_guard lock(mutex_);
  const auto past = past_.find(key_of(node, start));
  if (!start.password || past == past_.end()) {
    return;
  }
  const auto left = past->second.again_at - BootClock::now();
  if (past->second.times >= most_offers || left > Duration::zero()) {
    throw Error(ErrorKind::secret,
                "sudo has turned down the password of " + start.login + " from " +
                    start.password->origin() + "; so that the login is not shut out, " +
                    (past->second.times >= most_offers
                         ? "it is not offered again in this run"
                         : "it is offered once more, in " + format_duration(left)));
  }
}

void PasswordOffers::turned_down(const std::string& node, const AgentStart& start, Duration pause) {
  if (start.password) {
    const std::lock_guard lock(mutex_);
    auto& past = past_[key_of(node, start)];
    ++past.times;
    past.again_at = BootClock::now() + pause;
  }
}

void PasswordOffers::went_back(const std::string& node, const AgentStart& start) {
  const std::lock_guard lock(mutex_);
  if (const auto past = past_.find(key_of(node, start)); past != past_.end()) {
    past->second.again_at = BootClock::now();
  }
}

void PasswordOffers::taken(const std::string& node, const AgentStart& start) {
  const std::lock_guard lock(mutex_);
  past_.erase(key_of(node, start));
}

} // namespace belay::run
