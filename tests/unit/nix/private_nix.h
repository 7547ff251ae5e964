// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/file.h"
#include "engine/nix/local_nix.h"

#include <string>

// A real Nix with a store, state and configuration of its own under a temporary folder, made for
// one test case and removed with it. Needs neither root nor namespaces: the store's folder is
// simply another one, and derivations with `builder = "/bin/sh"` build offline in it.

namespace belay::nix {

class PrivateNix {
public:
  PrivateNix();
  ~PrivateNix();
  PrivateNix(const PrivateNix&) = delete;
  PrivateNix& operator=(const PrivateNix&) = delete;

  const std::filesystem::path& folder() const { return folder_.path(); }
  PosixProcessRunner& runner() { return runner_; }

  /// Writes a flake without inputs whose body is `outputs` and names it. In scope: `mk NAME SCRIPT
  /// ATTRIBUTES`, which makes a derivation.
  std::string flake(const std::string& outputs);
  /// stdout of a program; fails the test where it fails.
  std::string run(std::vector<std::string> argv, const std::string& input = {});
  /// A file below folder().
  void write(const std::string& name, const std::string& text);
  /// As the system-wide nix.conf.
  void system_configuration(const std::string& text);
  /// As the user's own.
  void user_configuration(const std::string& text);

private:
  void set(const char* name, const std::string& value);

  TemporaryDirectory folder_;
  PosixProcessRunner runner_;
  std::vector<std::pair<std::string, std::optional<std::string>>> before_;
  int flakes_ = 0;
};

/// No test here may take longer.
Wait soon();
StorePath store_path(const std::string& text);

} // namespace belay::nix
