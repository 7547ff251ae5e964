// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

// A password in memory. It has a type of its own so that it cannot slip into a message or a command
// by being one string among others, and it is wiped when its last owner lets go of it.

namespace belay {

class Secret {
public:
  /// `origin` says where it came from ("the environment variable DB_SUDO"), for messages.
  Secret(std::string text, std::string origin);
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  const std::string& text() const { return text_; }
  const std::string& origin() const { return origin_; }

private:
  std::string text_;
  std::string origin_;
};

/// Overwrites what `text` holds, in a way that the compiler does not leave out.
void wipe(std::string& text);

/// From here on the kernel writes no core dump of this process, and nobody but root may read its
/// memory or its environment through /proc. No effect on programs that are started. Linux only.
void keep_memory_private();

/// The value of an environment variable, which is then gone from the environment, also from what
/// /proc/PID/environ shows: no child inherits it. nullopt where it is not set. Only while no other
/// thread uses the environment.
std::optional<std::string> take_variable(const std::string& name);

} // namespace belay
