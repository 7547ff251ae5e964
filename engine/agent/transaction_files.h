// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/cancel.h"
#include "engine/base/file.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Where a transaction lives on the disk. The state directory belongs to one user, is 0700 and never
// reached through a symlink: no name in it can be made by anybody else. In it stand `mutex`, which
// whoever opens or recovers transactions holds for a moment, and one folder a transaction, named by
// its random id. Beside them
//
//   logs/             of deploys whose folders are gone (deploy_log.h)
//
// and in each folder
//
//   record.json       what was asked and what there was before; complete or absent
//   journal           what was done (journal.h); written by the keeper alone
//   lock              held by the keeper for its life
//   requests/         what serve asks of the keeper, one file each, dropped by rename
//   seen              when the last request came
//   0/held, 1/held …  the decision of each profile (decision.h)
//   0/output …        what its scripts printed
//   0/canary …        where deploy-rs confirms: the file that was made for that (canary.h)
//   0/new 0/previous running agent    roots of the garbage collector

namespace belay::agent {

/// The names within one transaction's folder. Nothing here touches the disk.
class TransactionFiles {
public:
  TransactionFiles(const std::filesystem::path& state_directory, const std::string& transaction)
      : id_(transaction), folder_(state_directory / transaction) {}

  const std::string& id() const { return id_; }
  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path state_directory() const { return folder_.parent_path(); }
  std::filesystem::path record() const { return folder_ / "record.json"; }
  std::filesystem::path journal() const { return folder_ / "journal"; }
  std::filesystem::path lock() const { return folder_ / "lock"; }
  std::filesystem::path requests() const { return folder_ / "requests"; }
  std::filesystem::path seen() const { return folder_ / "seen"; }
  std::filesystem::path reported() const { return folder_ / "reported"; }
  std::filesystem::path keeper_log() const { return folder_ / "keep.log"; }
  std::filesystem::path profile(std::size_t index) const { return folder_ / std::to_string(index); }
  std::filesystem::path output(std::size_t index) const { return profile(index) / "output"; }

private:
  std::string id_;
  std::filesystem::path folder_;
};

/// An exclusive flock. Close-on-exec, so that no child keeps it alive.
class FileLock {
public:
  /// Makes the file where it is missing. nullopt while somebody else holds it.
  static std::optional<FileLock> try_acquire(const std::filesystem::path& path);
  /// Tries until `wait` is over.
  static std::optional<FileLock> acquire(const std::filesystem::path& path, const Wait& wait);

private:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

/// Whether somebody holds the lock at `path`. A file that does not exist is not held.
bool is_locked(const std::filesystem::path& path);

/// $NIX_STATE_DIR/belay (default /nix/var/nix/belay) for root, else
/// ${XDG_STATE_HOME:-$HOME/.local/state}/belay, from this process' environment.
std::filesystem::path default_state_directory();

/// Makes it where it is missing, and its parents. Throws Error{system} unless it is a folder, no
/// symlink, ours, and out of others' reach (a mode that is too wide is narrowed).
void secure_state_directory(const std::filesystem::path& directory);

/// Equal for two paths to the same folder of the same running system, and for no others; also
/// before the folder was made. `boot`: boot_id(). Empty where that is, or where nothing of the path
/// can be looked at.
std::string identity_of(const std::filesystem::path& directory, const std::string& boot);

/// An id made by us: 8 to 64 lower-case hex digits, so that it is safe as a file's name.
bool is_transaction_id(std::string_view text);

/// The ids of all folders in there, sorted. Empty where the state directory does not exist. Throws
/// Error{system} where it cannot be read: whoever took that for empty would open a second
/// transaction beside one that is open.
std::vector<std::string> list_transactions(const std::filesystem::path& state_directory);

} // namespace belay::agent
