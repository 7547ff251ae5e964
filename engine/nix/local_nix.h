// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/nix/nix_store.h"
#include "engine/nix/roots.h"

#include <map>
#include <mutex>
#include <set>
#include <utility>

// The real NixStore: the `nix`, `nix-store` and `nix-instantiate` programs that PATH names. Tried
// with Nix 2.8; what is known of later releases is said where it matters.

namespace belay::nix {

/// Any thread may call any member at any time. Each member throws Error{cancelled} or
/// Error{deadline_exceeded} where its Wait ends it, and Error{system} where Nix cannot be started.
class LocalNix final : public NixStore {
public:
  /// `runner` must outlive this object.
  explicit LocalNix(ProcessRunner& runner);

  std::string version(const Wait& wait) override;
  /// Roots the derivations and the paths that it finds, too. A node whose evaluation failed has the
  /// message as `error` beside `ok` (the first few of them: each costs an evaluation of that node).
  std::string evaluate(const EvaluateRequest& request, const ProgressSink& sink,
                       const Wait& wait) override;
  LockedFlake lock(const std::string& flake, const std::vector<std::string>& nix_arguments,
                   const Wait& wait) override;
  /// Roots what it brought, too.
  std::vector<bool> substitute(const std::vector<StorePath>& paths,
                               const std::vector<std::string>& nix_arguments,
                               const ProgressSink& sink, const Wait& wait) override;
  std::vector<FailedCheck> check(const EvaluateRequest& request, const ProgressSink& sink,
                                 const Wait& wait) override;
  /// Roots derivations before and outputs after, too.
  std::vector<BuildResult> build(const std::vector<BuildGoal>& goals,
                                 const std::vector<std::string>& nix_arguments,
                                 const ProgressSink& sink, const Wait& wait) override;
  void sign(const StorePath& path, const std::filesystem::path& key_file,
            const Wait& wait) override;
  void keep(const StorePath& path, const std::filesystem::path& link, const Wait& wait) override;
  std::vector<bool> valid(const std::vector<StorePath>& paths, const Wait& wait) override;
  std::optional<bool> has_program(const StorePath& path,
                                  const std::vector<std::string>& names) const override;
  std::optional<std::string> system_of(const StorePath& derivation) const override;
  bool mentions(const StorePath& derivation, std::string_view word, const Wait& wait) override;
  void root(const std::vector<StorePath>& paths, const Wait& wait) override;
  StorePath add_file(const std::filesystem::path& file, const Wait& wait) override;
  std::vector<StorePath> missing_paths(const std::vector<StorePath>& paths,
                                       const std::string& store_uri, const Wait& wait) override;
  std::uint64_t archive_bytes(const std::vector<StorePath>& paths, const Wait& wait) override;
  CopyOutcome copy(const CopyRequest& request, const ProgressSink& sink, const Wait& wait) override;
  /// Roots the derivation here.
  TargetBuildOutcome build_there(const TargetBuildRequest& request, const ProgressSink& sink,
                                 const Wait& wait) override;

private:
  ProcessRunner& runner_;
  Roots roots_;
  std::mutex sign_mutex_;
  std::set<StorePath> signed_; ///< by sign, in this object's life; a run has one key
  std::mutex added_mutex_;
  std::map<std::filesystem::path, StorePath> added_; ///< by add_file, in this object's life
};

/// The version out of what `nix --version` prints: "nix (Nix) 2.8.0", "nix (Determinate Nix 3.1.1)
/// 2.25.3". Throws Error{system} where there is none.
std::string parse_version(std::string_view text);

} // namespace belay::nix
