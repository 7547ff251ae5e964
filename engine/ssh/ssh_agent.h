// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/cancel.h"
#include "engine/base/file.h"

#include <string>
#include <string_view>
#include <vector>

// A client of the user's ssh-agent (draft-ietf-sshm-ssh-agent), because libssh2's blocks: an agent
// that asks somebody to confirm a signature would hold the deploy past deadline and cancel.

namespace belay::ssh {

struct AgentKey {
  std::string blob;
  std::string comment;
};

class SshAgent {
public:
  /// Throws Error{secret} where nobody listens at `socket_path`.
  explicit SshAgent(const std::string& socket_path);

  std::vector<AgentKey> keys(const Wait& wait);
  /// The signature alone, without its algorithm's name. `algorithm` is the one in `data`:
  /// "rsa-sha2-512" needs another request than "ssh-rsa". Throws Error{secret} where the agent
  /// refuses, or signs with another algorithm.
  std::string sign(const std::string& blob, std::string_view data, const std::string& algorithm,
                   const Wait& wait);

private:
  std::string ask(std::string_view request, const Wait& wait);
  void send_all(std::string_view text, const Wait& wait);
  std::string receive(std::size_t size, const Wait& wait);

  UniqueFd socket_;
};

} // namespace belay::ssh
