// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/process.h"
#include "engine/ssh/ssh_config.h"

#include <string>
#include <vector>

// known_hosts files as OpenSSH reads them: its own `ssh-keygen -F` does the matching (hashed names,
// ports, patterns, negation, @revoked, @cert-authority), for libssh2's matcher accepts revoked keys
// and sees no patterns.

namespace belay::ssh {

struct KnownKey {
  enum class Mark { none, revoked, authority };
  Mark mark = Mark::none;
  std::string type;  ///< "ssh-ed25519"
  std::string blob;  ///< the key itself, decoded
  std::string where; ///< "FILE line N", for messages
};

class KnownHosts {
public:
  /// `keygen`: the path of ssh-keygen; empty = there is none.
  KnownHosts(ProcessRunner& processes, std::string keygen);

  /// Every line of the host's files that matches `name` ("host", "[host]:2222"). Files that do not
  /// exist are empty. Throws Error{system} where a file exists and there is no ssh-keygen to read
  /// it with, Error{cancelled | unreachable}.
  std::vector<KnownKey> find(const ResolvedHost& host, const std::string& name, const Wait& wait);

  /// Adds a line to the user's first file, hashed if so configured. Not to /dev/null. Returns the
  /// file; empty where there is none to write to.
  std::string add(const ResolvedHost& host, const std::string& name, const KnownKey& key,
                  const Wait& wait);

private:
  std::string hashed(const std::string& line, const Wait& wait);

  ProcessRunner& processes_;
  std::string keygen_;
};

/// Pure: what `ssh-keygen -F` printed about one file.
std::vector<KnownKey> parse_keygen_answer(const std::string& answer, const std::string& file);

/// What a host is called in known_hosts: "host", or "[host]:2222".
std::string known_hosts_name(const ResolvedHost& host);

} // namespace belay::ssh
