// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/nix_tools.h"
#include "engine/agent/protocol.h"
#include "engine/base/process.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>

// A Nix profile is a symlink to NAME-N-link beside it, which is a symlink into the store. This is
// all that the transaction does with one. Changes go through nix-env, which knows its own locks;
// only where a profile had no generation to go back to are links put back or taken away by hand,
// the profile's own made beside and renamed over. Whether a change worked is never taken from an
// exit status alone: who changes reads back.

namespace belay::agent {

/// A profile link as it is on the disk.
struct ProfileReading {
  std::optional<std::string> link; ///< raw text; nullopt = there is none
  Generation generation;           ///< path is empty where there is none or it leads nowhere
};

/// What went wrong with a change, for a person; nullopt where nothing did.
using Problem = std::optional<std::string>;

class ProfileStore {
public:
  virtual ~ProfileStore() = default;
  virtual ProfileReading read(const std::string& profile) const = 0;
  /// Every generation's number and the real path behind it (empty where it leads nowhere). Throws
  /// Error{system} where their folder cannot be read.
  virtual std::map<int, std::string> generations(const std::string& profile) const = 0;
  virtual Problem set(const std::string& profile, const std::string& path) = 0;
  virtual Problem switch_generation(const std::string& profile, int number) = 0;
  virtual Problem delete_generation(const std::string& profile, int number) = 0;
  /// The link itself, with this text.
  virtual Problem restore_link(const std::string& profile, const std::string& text) = 0;
  virtual Problem remove_link(const std::string& link) = 0;
};

/// Real profiles, by nix-env. Any thread.
class NixProfiles final : public ProfileStore {
public:
  NixProfiles(NixTools tools, ProcessRunner& processes)
      : tools_(std::move(tools)), processes_(processes) {}
  ProfileReading read(const std::string& profile) const override;
  std::map<int, std::string> generations(const std::string& profile) const override;
  Problem set(const std::string& profile, const std::string& path) override;
  Problem switch_generation(const std::string& profile, int number) override;
  Problem delete_generation(const std::string& profile, int number) override;
  Problem restore_link(const std::string& profile, const std::string& text) override;
  Problem remove_link(const std::string& link) override;

private:
  Problem nix_env(const std::string& profile, std::vector<std::string> words);
  NixTools tools_;
  ProcessRunner& processes_;
};

/// As NixProfiles reads it; needs no Nix.
ProfileReading read_profile(const std::string& profile);

/// The realpath, or empty where it leads nowhere.
std::string real_path(const std::filesystem::path& path);

} // namespace belay::agent
