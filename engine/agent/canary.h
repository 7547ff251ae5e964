// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/file.h"
#include "engine/base/store_path.h"

#include <filesystem>
#include <optional>
#include <string>

// deploy-rs's way to confirm: a file in a folder that everybody may write to, named by the closure.
// It appears when the activation has ended well; who can still log in removes it. That name is no
// secret, so nothing that stands there is trusted: the file is made anew, by us alone, holds the id
// of its transaction, and is known by its inode from then on. Its removal is the decision: at the
// deadline we remove it ourselves, and who finds it gone has lost.

namespace belay::agent {

class Canary {
public:
  Canary(std::filesystem::path folder, const StorePath& closure);

  const std::filesystem::path& path() const { return path_; }

  /// Makes the folder where it is missing, and takes away what an earlier activation or somebody
  /// else has left under the name. Throws Error{system} for what may not be taken away, and for
  /// another user's file, which may be one that is waited on.
  void clear();
  /// Makes it, with the transaction's id in it. Throws Error{system}, also where something is
  /// there.
  void make(const std::string& transaction);
  bool made() const { return file_.has_value(); }
  /// Whether somebody has removed it since.
  bool is_gone() const;
  /// Removes it. False where somebody was faster.
  bool take_back();

  /// The transaction that one there names, if it is a file of this user's; nullopt where it is
  /// none.
  std::optional<std::string> read() const;

private:
  void open_folder();

  std::filesystem::path folder_, path_;
  UniqueFd directory_; ///< the folder as it was: another one may be mounted over it meanwhile
  std::optional<std::pair<dev_t, ino_t>> file_;
};

} // namespace belay::agent
