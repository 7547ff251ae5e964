// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/clock.h"
#include "engine/run/agent_start.h"

#include <map>
#include <mutex>
#include <string>
#include <tuple>

// How often a password that sudo has turned down is offered again. An activation may change who may
// do what, and its rollback changes it back; so a wrong password on the way to a confirmation is
// not the last word. But each wrong one counts at the target, and where faillock or its like looks
// on, the third often shuts the login out. So it is offered once more, when the target must have
// gone back, and then no more in this run.

namespace belay::run {

/// Of one run. Any thread.
class PasswordOffers {
public:
  /// Throws Error{secret} where the password of `start` is not to be offered to `node` now.
  void admit(const std::string& node, const AgentStart& start) const;
  /// sudo said no; `pause`: when the target must have gone back.
  void turned_down(const std::string& node, const AgentStart& start, Duration pause);
  /// The target has said over another way that it went back: the pause is over.
  void went_back(const std::string& node, const AgentStart& start);
  /// sudo said yes, or did not ask.
  void taken(const std::string& node, const AgentStart& start);

private:
  using Key = std::tuple<std::string, std::string, const Secret*>; ///< node, login, password
  static Key key_of(const std::string& node, const AgentStart& start);
  struct Past {
    int times = 0;
    Instant again_at{};
  };

  mutable std::mutex mutex_;
  std::map<Key, Past> past_;
};

} // namespace belay::run
