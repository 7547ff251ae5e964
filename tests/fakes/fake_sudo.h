// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/clock.h"
#include "engine/ssh/transport.h"

#include <memory>
#include <string>
#include <vector>

namespace belay::fakes {

/// The target's sudo, as it meets a command that begins with it.
struct FakeSudo {
  bool asks = false;                 ///< else NOPASSWD
  std::string password;              ///< the right one
  std::string refusal;               ///< it says that and lets nobody in
  std::string lecture;               ///< on stderr before anything else
  bool asks_in_own_words = false;    ///< as PAM modules do that have a prompt of their own
  Instant wrong_until{};             ///< before that not even the right one is
  int asked = 0;                     ///< prompts so far
  std::vector<std::string> attempts; ///< what came as a password
};

/// sudo before `agent`: it says what it wants on stderr, reads passwords as lines of its input, and
/// after the right one leaves input and output to the agent. `sudo` must outlive it.
std::unique_ptr<ssh::Channel> make_sudo_channel(FakeSudo& sudo, const std::string& command,
                                                std::unique_ptr<ssh::Channel> agent);

} // namespace belay::fakes
