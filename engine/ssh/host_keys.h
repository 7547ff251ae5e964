// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/ssh/host_key.h"

#include <functional>
#include <mutex>
#include <string>

// The host keys of a run, for both ways to connect: what is known of a host beforehand, and what
// follows once its key was accepted - it is remembered, so that a host which shows another one
// later in the run is refused, and written down where StrictHostKeyChecking=accept-new wants it.

namespace belay::ssh {

/// Something that the user should know though it works.
struct Notice {
  enum class Level { info, warning };
  Level level = Level::warning;
  std::string node;
  std::string message;
};
using NoticeSink = std::function<void(const Notice&)>;

struct ConnectAttempt;

/// Any thread.
class HostKeys {
public:
  HostKeys(ProcessRunner& processes, std::string keygen, NoticeSink on_notice)
      : known_hosts_(processes, std::move(keygen)), on_notice_(std::move(on_notice)) {}

  /// What is known before the host is asked. Throws as KnownHosts::find and parse_pinned_key do.
  HostKeyExpectation expect(const ConnectAttempt& attempt);
  std::optional<PresentedKey> seen(const std::string& place) const { return seen_.get(place); }
  /// After judge_host_key, or ssh, accepted it: tells, writes down, remembers.
  void accepted(const ConnectAttempt& attempt, const PresentedKey& key, HostKeyVerdict verdict);
  /// A key that was new is in `file` now; empty = nowhere.
  void tell_added(const ConnectAttempt& attempt, const PresentedKey& key,
                  const std::string& file) const;
  void remember(const std::string& place, const PresentedKey& key) { seen_.put(place, key); }

private:
  void add(const ConnectAttempt& attempt, const PresentedKey& key);
  void warn(const ConnectAttempt& attempt, const std::string& message) const;

  KnownHosts known_hosts_;
  NoticeSink on_notice_;
  std::mutex adding_; ///< one line is added to known_hosts at a time
  SeenKeys seen_;
};

} // namespace belay::ssh
