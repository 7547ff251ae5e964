// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/store_path.h"
#include "engine/nix/nix_store.h"
#include "engine/ssh/transport.h"

#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

// Which agent a target gets: the runner's own, made for the system that the target itself names
// (uname), added to the runner's store once a run and copied along with the closure.

namespace belay::run {

/// Nix's name for a `uname -sm` line: "Linux x86_64" is "x86_64-linux". Throws Error{protocol}.
std::string system_of_uname(const std::string& line);

class AgentFinder {
public:
  /// `folders` in order of preference; each may hold SYSTEM/belay-agent, or belay-agent itself for
  /// `own_system`.
  AgentFinder(std::vector<std::filesystem::path> folders, std::string own_system,
              nix::NixStore& store);

  /// Asks the target, adds the agent for it to the store. Any thread. Throws Error{agent_missing}
  /// that says where was looked, and what exec and add_file throw.
  StorePath find(ssh::Session& session, const Wait& wait);

private:
  std::filesystem::path file_for(const std::string& system) const;

  std::vector<std::filesystem::path> folders_;
  std::string own_system_;
  nix::NixStore& store_;
  std::mutex mutex_;
  std::map<std::string, StorePath> added_; ///< by system
};

} // namespace belay::run
