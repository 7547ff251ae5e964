// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/cancel.h"
#include "engine/base/file.h"

#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

// A target's store behind a unix socket, as the store tunnel offers it: each connection is joined
// to a `nix-daemon --stdio` of its own. What the client says is kept, so that a test can read the
// SetOptions packet of the worker protocol.

namespace belay::nix {

/// What a client tells the daemon of its settings (Nix, src/libstore/remote-store.cc, setOptions).
struct SetOptions {
  std::uint64_t keep_failed, keep_going, fallback, verbosity, max_jobs, max_silent_time;
  std::uint64_t cores, substitute;
  std::map<std::string, std::string> overrides;
};

class RecordedDaemon {
public:
  /// The store lies below `folder`/target; `store_directory` is its name in store paths.
  RecordedDaemon(const std::filesystem::path& folder, const std::string& store_directory);
  ~RecordedDaemon();
  RecordedDaemon(const RecordedDaemon&) = delete;
  RecordedDaemon& operator=(const RecordedDaemon&) = delete;

  std::string store_uri() const { return "unix://" + socket_path_; }
  /// For `--store`: the target's store seen from beside the daemon.
  std::string direct_uri() const { return "local?root=" + target_.string(); }
  /// Ends the daemon's service; the rest may be asked after that.
  void stop();
  std::size_t connections() const { return said_.size(); }
  SetOptions set_options(std::size_t connection) const;

private:
  void serve();
  void join(UniqueFd client);
  std::vector<std::string> environment_of_target() const;

  std::filesystem::path target_;
  std::string store_directory_;
  TemporaryDirectory socket_folder_{"/tmp/b."}; ///< TMPDIR may be longer than a socket's path
  std::string socket_path_;
  UniqueFd listener_;
  CancelSource stop_;
  std::vector<std::string> said_; ///< by the client of each connection
  std::thread thread_;
};

} // namespace belay::nix
