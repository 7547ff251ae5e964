// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/cancel.h"
#include "engine/event/event.h"
#include "engine/nix/nix_store.h"

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

// How far a copy is: what went through the tunnel, against what the target misses. A thread looks
// once a second while the copy runs and tells what has changed, so that a quick copy tells nothing
// and a stuck one nothing more. How much is missing is Nix's to say. For a Nix that only counts the
// paths (2.8) the target's store is asked which it lacks; what has come over by then Nix has named.

namespace belay::run {

class CopyProgress {
public:
  struct Source {
    std::function<std::uint64_t()> bytes_sent; ///< so far
    /// What the target lacks now, and how much some paths are. Asked once, if at all.
    std::function<std::vector<StorePath>(const Wait& wait)> missing_paths;
    std::function<std::uint64_t(const std::vector<StorePath>&, const Wait& wait)> archive_bytes;
  };
  using Tell = std::function<void(const event::StageProgress& progress)>;
  static constexpr Duration usual_interval = std::chrono::seconds(1);

  /// `source` and `tell` are called by a thread of its own until the destructor returns. Throws
  /// Error{system} where there is none.
  CopyProgress(Source source, Tell tell, Duration interval = usual_interval);
  ~CopyProgress();
  CopyProgress(const CopyProgress&) = delete;
  CopyProgress& operator=(const CopyProgress&) = delete;

  /// What Nix says while it copies; any thread.
  void take(const nix::Progress& said);

private:
  void watch();
  std::optional<std::uint64_t> expected();
  std::optional<std::uint64_t> measure();

  Source source_;
  Tell tell_;
  Duration interval_;
  std::mutex mutex_;
  std::optional<std::uint64_t> size_, count_; ///< missing bytes and paths; guarded by mutex_
  std::set<StorePath> named_;                 ///< as being copied; guarded by mutex_
  CancelSource stop_;
  bool measured_ = false; ///< the thread's
  std::thread thread_;
};

} // namespace belay::run
