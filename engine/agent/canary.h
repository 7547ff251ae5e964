// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/store_path.h"

#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>

// deploy-rs's way to confirm: a file in a folder that everybody may write to, named by the closure.
// It appears when the activation has ended well; who can still log in removes it. That name is no
// secret, so nothing that stands there is trusted: the file is made anew, by us alone, holds the id
// of its transaction, and is known by its inode from then on. That inode is written into the
// transaction's folder, so that whoever keeps the transaction, the first keeper or a later one,
// still can tell whether it is there.
//
// Its removal is won by one side: who confirms removes it, who lets it expire renames it, to a name
// that nobody can guess. A keeper that died right after that finds it there, and knows that nobody
// else was faster.

namespace belay::agent {

class Canary {
public:
  Canary(std::filesystem::path folder, const StorePath& closure);

  const std::filesystem::path& path() const { return path_; }

  /// Makes the folder where it is missing, and takes away what an earlier activation or somebody
  /// else has left under the name. Throws Error{system} for what may not be taken away, and for
  /// another user's file, which may be one that is waited on.
  void clear() const;
  /// Makes it, with the transaction's id in it, and then the file `known`, which says what was
  /// made. Doing it again changes nothing. Throws Error{system}, also where something else is
  /// there.
  void show(const std::string& transaction, const std::filesystem::path& known) const;

  /// The transaction that one there names, if it is a file of this user's; nullopt where it is
  /// none.
  std::optional<std::string> read() const;

private:
  std::filesystem::path folder_, path_;
};

/// One that was made, and how it stands now.
class ShownCanary {
public:
  /// nullopt where `known` is not there: nobody has been shown anything.
  static std::optional<ShownCanary> find(const Canary& canary, const std::string& transaction,
                                         const std::filesystem::path& known);

  /// Whether somebody has removed it. Never said of one that was made before a restart of the
  /// machine, or in another folder than the one that is there now: nobody can tell.
  bool is_removed() const;
  /// Takes it back, so that nobody can remove it any more. False where somebody was faster.
  bool take() const;
  /// Takes away what is left of it.
  void drop() const;

private:
  using Identity = std::pair<dev_t, ino_t>;
  ShownCanary(const Canary& canary, const std::string& transaction);
  bool can_tell() const;
  bool is(const std::filesystem::path& path) const;
  void remove_by_name() const;

  Canary canary_;
  std::string transaction_;
  std::filesystem::path path_, taken_;
  Identity folder_, file_;
  std::string boot_;
};

} // namespace belay::agent
