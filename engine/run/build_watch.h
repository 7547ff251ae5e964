// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/cancel.h"
#include "engine/base/clock.h"
#include "engine/nix/nix_store.h"

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// A build may say nothing for an hour, and a CI system ends a job whose log is silent. A thread
// says once a minute what is being built and for how long, from what Nix tells of builds that start
// and stop. Quick work is over before it says anything.

namespace belay::run {

class BuildWatch {
public:
  using Tell = std::function<void(const std::string& text)>;
  static constexpr Duration usual_interval = std::chrono::minutes(1);

  /// `tell` is called by a thread of its own until the destructor returns. Throws
  /// Error{system} where there is none.
  explicit BuildWatch(Tell tell, Duration interval = usual_interval);
  ~BuildWatch();
  BuildWatch(const BuildWatch&) = delete;
  BuildWatch& operator=(const BuildWatch&) = delete;

  /// What Nix says while it works; any thread.
  void take(const nix::Progress& said);

private:
  void watch();
  std::string text();

  const Tell tell_;
  const Duration interval_;
  const Instant began_ = BootClock::now();
  std::mutex mutex_;
  std::vector<std::pair<std::string, Instant>> building_; ///< since when; guarded by mutex_
  CancelSource stop_;
  std::thread thread_;
};

} // namespace belay::run
