// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/protocol.h"
#include "engine/base/clock.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

// What `prepare` writes down before anything is changed: the request, what stood on the target, and
// the surroundings in which serve ran. A rollback goes back to this and to nothing else; a
// generation number is no identity, so the store path stands beside it. The keeper runs scripts in
// the recorded surroundings, because its own are those of a transient unit: no HOME, the root
// folder, a PATH of systemd's.
//
// It says of which version it is: what an older agent would leave out of a newer record it must not
// act upon.

namespace belay::agent {

struct RecordedProfile {
  PrepareRequest::Profile wanted;
  std::string path;                ///< of the profile link
  std::optional<std::string> link; ///< the link's raw text; nullopt = there was none
  Generation generation;           ///< path is empty where there was none, or it led nowhere
  std::string closure_path;        ///< realpath of the wanted closure, which may be a symlink
  std::vector<int> numbers;        ///< all generations that existed
  std::string reactivate; ///< what a rollback activates: the recorded generation, or what ran
};

/// Environment, umask and working directory.
struct Surroundings {
  std::map<std::string, std::string> environment;
  mode_t umask = 022;
  std::string directory;

  /// Of this process. Call it before any thread starts.
  static Surroundings here();
  /// Makes them those of this process; a working directory that has gone becomes "/".
  void restore() const;
};

/// Of a variable; empty where it is not set.
std::string value_of(const std::map<std::string, std::string>& environment, const char* name);

struct Record {
  std::string transaction;
  std::string run;
  std::string node; ///< as in PrepareRequest
  std::string holder_url;
  WallTime since{};
  std::string boot;    ///< boot_id() at prepare
  std::string user;    ///< profile user
  std::string running; ///< realpath of /run/current-system, or empty
  std::string booted;  ///< realpath of /run/booted-system, or empty
  std::vector<RecordedProfile> profiles;
  std::map<std::string, std::string> details; ///< as in TransactionStatus
  Surroundings surroundings;

  std::optional<std::size_t> index_of(std::string_view profile) const;
};

/// Durable when it returns. Throws Error{system}.
void write_record(const std::filesystem::path& path, const Record& record);
/// nullopt where there is none: the prepare that began it never ended. Throws Error{protocol} for
/// one that cannot be understood, which includes every one of a later version, and Error{system}
/// for one that cannot be read.
std::optional<Record> read_record(const std::filesystem::path& path);

/// What tells this boot of the machine from any other one.
std::string boot_id();

} // namespace belay::agent
