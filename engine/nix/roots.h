// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/file.h"
#include "engine/base/process.h"
#include "engine/base/store_path.h"

#include <memory>
#include <mutex>
#include <set>
#include <span>

// A run's hold on the store. Between the evaluation and the end of the run, derivations and outputs
// are kept from the garbage collector by indirect roots: symlinks in a private folder that Nix
// knows of. When the folder goes, its links hold nothing any more, and the next collection drops
// Nix's record of them. A lock on the folder lives as long as the run: the folder of a run that was
// killed is removed by a later one. Only nix-store and nix-instantiate can register an indirect root
// as any user; `nix-store --realise DRV --add-root` would build the derivation, so that derivations
// are rooted by an expression that merely names them.

namespace belay::nix {

/// Any thread.
class Roots {
public:
  explicit Roots(ProcessRunner& runner) : runner_(runner) {}

  /// Roots those that are valid; known ones cost nothing. Throws Error{system}.
  void add(std::span<const StorePath> paths, const Wait& wait);

private:
  std::vector<StorePath> unknown_and_valid(std::span<const StorePath> paths, const Wait& wait);
  void add_batch(const std::vector<StorePath>& paths, const Wait& wait);
  std::string next_link();
  void make_folder();

  ProcessRunner& runner_;
  std::mutex mutex_;
  std::unique_ptr<TemporaryDirectory> folder_; ///< made with the first root
  UniqueFd lock_;                              ///< on the folder
  std::set<StorePath> rooted_;
  unsigned count_ = 0;
};

} // namespace belay::nix
