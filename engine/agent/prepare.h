// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/host.h"
#include "engine/agent/protocol.h"

#include <variant>

// Opening a transaction: nobody else's is open, what stands is recorded, everything that either way
// needs is rooted, and a keeper holds the lock. Nothing of the target is changed by it, and where
// it is refused nothing of it stays. What an earlier transaction left open without a living keeper
// is ended first, and told.

namespace belay::agent {

/// Serialised over the state directory's mutex; takes as long as ending an earlier one takes.
std::variant<TransactionStatus, Refusal> prepare(const PrepareRequest& request, const Host& host);

} // namespace belay::agent
