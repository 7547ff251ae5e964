// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/ssh/connection.h"
#include "engine/ssh/ssh_config.h"

// Logging in with public keys, in ssh's order: the configured identities that the agent holds, the
// agent's other keys (unless IdentitiesOnly), then identity files. Nobody is ever asked anything:
// an encrypted key outside an agent is left out and said so.

namespace belay::ssh {

/// Throws Error{authentication_failed} that names what was tried, Error{transport_unsupported}
/// where only the ssh program could still log in (certificates, GSSAPI), ConnectFailure, and what
/// Connection::call throws.
void authenticate(Connection& connection, const ResolvedHost& host, const Wait& wait);

} // namespace belay::ssh
