// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/host.h"
#include "engine/agent/protocol.h"
#include "engine/agent/transaction_files.h"

#include <string>
#include <variant>

// deploy-rs asks to take an activation back when it is long over: its transaction is closed, its
// lock given free. What was recorded then is still the only true way back. So a new transaction is
// opened that begins where the old one ended: with its record, and a journal that says the same.
// From there on it is one like any other, and a revoke in it is what it always is: the profile has
// to be what was set, and goes back to what was recorded.

namespace belay::agent {

/// As the holder's name, what tells a transaction of deploy-rs's from a runner's.
inline constexpr const char* deploy_rs_run = "deploy-rs";

/// Of the profile's last transaction for deploy-rs. A Refusal where there is none, where it has
/// nothing to take back, or where another one holds the target.
std::variant<TransactionFiles, Refusal> reopen_last(const std::string& profile_path,
                                                    const Host& host);

} // namespace belay::agent
