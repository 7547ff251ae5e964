// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"
#include "engine/run/agent_start.h"
#include "engine/run/sudo_prompt.h"
#include "engine/ssh/transport.h"

#include <memory>
#include <optional>

// The way to a target's store that leads through sudo (setting storeSudo): the agent, started as
// the profile's owner, becomes the nix-daemon there. Root's daemon takes whatever it is given, so
// no signature is looked at. Nothing of the store's protocol is sent before the agent has greeted,
// and a sudo that asks gets its password first. What went wrong at the door is remembered, because
// the Nix at the other end of the tunnel only sees that it was closed.

namespace belay::run {

class StoreDoor {
public:
  /// `start`: the agent with verb `store`. Throws what serve_command and SudoPrompt throw.
  explicit StoreDoor(AgentStart start);

  /// For a tunnel that lives no longer than this.
  ssh::StoreService service();
  /// Why the last connection was not let in; ask when the tunnel has finished.
  const std::optional<Error>& refusal() const { return refusal_; }

private:
  void pass(ssh::Channel& channel, const Wait& wait);
  void await_greeting(ssh::Channel& channel, SudoPrompt& prompt, const Wait& wait);

  AgentStart start_;
  SudoPrompt prompt_; ///< of which each connection gets a copy, with the same marker
  std::string command_;
  std::optional<Error> refusal_; ///< the tunnel's thread's, until it has finished
};

} // namespace belay::run
