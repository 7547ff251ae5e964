// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"
#include "engine/base/store_path.h"
#include "engine/nix/nix_store.h"
#include "engine/plan/plan.h"
#include "engine/ssh/transport.h"

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

// Which agent a target gets: the runner's own, made for the system that the target itself names
// (uname), added to the runner's store once a run and copied along with the closure. Where the
// runner has none for that system, the closure may bring one (`belay-agent`, as nix/lib makes it):
// it is added the same way, so that it is a file of its own that needs no signature. Whether it
// speaks this runner's protocol, its greeting says. Before the closure is built nobody can look
// into it; but what it is made from has to mention an agent, if it brings one.

namespace belay::run {

/// Nix's name for a `uname -sm` line: "Linux x86_64" is "x86_64-linux". Throws Error{protocol}.
std::string system_of_uname(const std::string& line);

/// What a closure calls the agent that it brings, below its root.
inline constexpr std::string_view closure_agent = "belay-agent";

class AgentFinder {
public:
  /// `folders` in order of preference; each may hold SYSTEM/belay-agent, or belay-agent itself for
  /// `own_system`.
  AgentFinder(std::vector<std::filesystem::path> folders, std::string own_system,
              nix::NixStore& store);

  /// What the target says that it is. Throws Error{protocol}, and what exec throws.
  static std::string system_of(ssh::Session& session, const Wait& wait);
  /// The runner's own for `system`, in the store; nullopt where it has none. Any thread. Throws
  /// what add_file throws.
  std::optional<StorePath> own(const std::string& system, const Wait& wait);
  /// That of a closure in the runner's store; nullopt where it brings none.
  std::optional<StorePath> of_closure(const StorePath& closure, const Wait& wait);
  /// Whether that profile's closure, which may not have been built yet, brings one, as far as can
  /// be known.
  bool may_be_brought(const plan::Profile& profile, const Wait& wait);
  /// Error{agent_missing} that says where was looked and what to do.
  Error missing(const std::string& system) const;

private:
  std::vector<std::filesystem::path> candidates(const std::string& system) const;

  std::vector<std::filesystem::path> folders_;
  std::string own_system_;
  nix::NixStore& store_;
  std::mutex mutex_;
  std::map<std::string, StorePath> added_; ///< by system
};

} // namespace belay::run
