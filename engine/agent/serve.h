// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/host.h"

// `belay-agent serve`: one end of a conversation over stdin and stdout. It decides nothing but a
// confirmation (a rename that it wins or loses); all the rest it asks of the keeper and reads from
// what the keeper writes. So it may die at any byte, and several of it may run at once. While it
// lives it also looks after its keeper: one that died is replaced, and the new one recovers.

namespace belay::agent {

/// Until end of file on `in`, or until `out` is gone. Returns the exit status.
int serve(int in, int out, const Host& host);

} // namespace belay::agent
