// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <string>

namespace belay::ssh {

/// Why one attempt to connect failed, and whether a crowded or restarting sshd could be the reason,
/// so that another attempt is worth making. Leaves the transport as the plain Error that it is.
class ConnectFailure : public Error {
public:
  enum class Nature { temporary, lasting };
  ConnectFailure(ErrorKind kind, std::string message, Nature nature)
      : Error(kind, std::move(message)), nature_(nature) {}
  bool temporary() const { return nature_ == Nature::temporary; }

private:
  Nature nature_;
};

} // namespace belay::ssh
