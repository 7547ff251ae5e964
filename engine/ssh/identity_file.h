// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

// What can be said of an IdentityFile before it is used: whether it is there, whether it wants a
// passphrase that nobody will be asked for, and which public key belongs to it.

namespace belay::ssh {

struct IdentityFile {
  enum class State {
    usable,
    missing,
    public_only, ///< only the .pub is there: its private half may be with the agent
    encrypted,
    too_open, ///< others may read it; ssh does not take it either
    unreadable,
  };
  State state = State::missing;
  std::string path;
  std::string public_blob;      ///< empty = not known without the private key
  bool has_certificate = false; ///< PATH-cert.pub is there: the ssh program would use it
};

/// Any thread; never throws: what cannot be read is `unreadable`.
IdentityFile inspect_identity_file(const std::string& path);

/// "encrypted: load it into ssh-agent"; empty for usable, missing and public_only.
std::string describe_unusable(IdentityFile::State state);

/// "PATH (encrypted: …)" of each file that cannot be used; those that are missing are none.
std::vector<std::string> unusable_identities(const std::vector<std::string>& paths);

} // namespace belay::ssh
