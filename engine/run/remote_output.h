// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/ssh/transport.h"

#include <string>

namespace belay::run {

/// What a short command printed there, the first 64 KiB of it, and how it ended.
struct RemoteOutput {
  std::string text; ///< a login shell may have printed before
  ssh::ChannelEnd end;
};

/// `command` is given to the login's shell: quote it. Throws what exec and a channel throw.
RemoteOutput output_of(ssh::Session& session, const std::string& command, const Wait& wait);

/// The last line, which is a one-line answer's own where the shell was talkative.
std::string last_line_of(const RemoteOutput& output);

} // namespace belay::run
