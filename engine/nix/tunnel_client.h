// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/file.h"
#include "engine/base/process.h"
#include "engine/nix/nix_store.h"

#include <string>
#include <vector>

// How a Nix process is started that talks to a target's store. Nix's unix:// client sends its
// settings to the daemon at the other end, which is the target's: the user's and NIX_CONFIG's each
// by name, and a handful (substitute, cores, max-jobs, fallback, …) whatever file they came from.
// So such a process sees no file of the runner's: the system's nix.conf is replaced by one that
// says only what must not be left to Nix's default here, and nothing of that one is sent. What is
// sent, NIX_CONFIG says, and belay has written it.

namespace belay::nix {

class TunnelClient {
public:
  /// `sent`: lines of nix.conf, for the target's daemon.
  TunnelClient(std::string store_uri, const std::string& sent);

  /// Works on the runner's store, and is told of the target's by its arguments (`--to`).
  ProcessSpec beside(std::vector<std::string> argv) const;
  /// Works on the target's store.
  ProcessSpec inside(std::vector<std::string> argv) const;

  const std::string& store_uri() const { return store_uri_; }

private:
  std::string store_uri_;
  std::string sent_;
  TemporaryDirectory configuration_;
};

/// `builders-use-substitutes`, without which Nix 2.8 ignores `--substitute-on-destination`.
std::string sent_for_copy(bool substitute);

/// The target's own `max-jobs`, `cores`, `max-silent-time`, `substitute`, `fallback` and
/// `keep-failed`: the client sends a value of each in any case (Nix, remote-store.cc, setOptions),
/// and its own would be the runner's, or Nix's default.
std::string sent_for_build(const BuildCapacity& capacity);

} // namespace belay::nix
