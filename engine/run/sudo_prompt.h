// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/secret.h"
#include "engine/ssh/transport.h"

#include <cstdint>
#include <memory>
#include <string>

// Gives sudo its password, and nobody else. sudo is told to ask on stderr with a prompt that nobody
// can guess (`-S -p MARKER`); the password is written once, after that prompt was seen, never on
// trust: with NOPASSWD sudo asks for nothing, and a password sent ahead would be the agent's first
// request. A second prompt means that the password is wrong. The command is then given up, because
// whatever is written next would be taken as one more attempt.

namespace belay::run {

class SudoPrompt {
public:
  /// `password` null: nothing is asked for, no marker, read() is the channel's. Throws
  /// Error{system} where there is no randomness.
  explicit SudoPrompt(std::shared_ptr<const Secret> password);

  /// For `-p`; empty = without a password.
  const std::string& marker() const { return marker_; }
  /// The password was asked for and written.
  bool answered() const { return answered_; }

  /// As Channel::read, and answers the prompt meanwhile. Throws Error{secret} at the second prompt.
  std::size_t read(ssh::Channel& channel, char* buffer, std::size_t size, const Wait& wait);

private:
  bool asked_anew(const ssh::Channel& channel);
  void answer(ssh::Channel& channel, const Wait& wait);

  std::shared_ptr<const Secret> password_;
  std::string marker_;
  bool answered_ = false;
  std::uint64_t looked_at_ = 0; ///< bytes of stderr, up to the end of the last prompt
};

} // namespace belay::run
