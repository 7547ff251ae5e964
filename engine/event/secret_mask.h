// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

// Passwords and keys that belay was given must not come back out of it, wherever they turn up: in a
// build log, in an error message of another program, in a name. The Emitter applies one mask to
// every string of every event before anybody is told, so that no sink can forget it.

namespace belay::event {

class SecretMask {
public:
  /// Shorter ones are not masked: they would blank out ordinary text and name things wrongly.
  static constexpr std::size_t shortest = 4;

  SecretMask() = default;
  explicit SecretMask(const std::vector<std::string>& secrets);

  /// The secret, trimmed, and each of its lines of 8 characters or more (a key file's lines are
  /// logged one by one).
  void add(std::string_view secret);
  bool empty() const { return secrets_.empty(); }
  /// `text` with "***" in place of each secret.
  std::string apply(std::string text) const;

private:
  void add_one(std::string_view secret);
  std::vector<std::string> secrets_; ///< longest first: one may hold another
};

} // namespace belay::event
