// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/host.h"
#include "engine/agent/protocol.h"
#include "engine/agent/transaction_files.h"

#include <chrono>

// What may be asked about a transaction from outside its keeper, by whoever speaks for the deploy:
// serve for a runner, activate-rs for deploy-rs. A confirmation is a rename that is won or lost;
// everything else is asked of the keeper, and a keeper that has died is replaced while one waits.

namespace belay::agent {

/// How often whoever waits for a transaction looks whether its keeper still lives.
inline constexpr std::chrono::seconds keeper_check{1};

Refusal unknown_transaction(const std::string& transaction);

/// Drops the request for the keeper and waits for its answer: Accepted or a Refusal.
ReplyBody ask_keeper(const TransactionFiles& files, const Host& host, const RequestBody& request);

/// Confirms the profile unless it is too late. Whether that was won is in its state afterwards.
void decide_for_confirmed(const TransactionFiles& files, const Host& host, std::size_t profile);

} // namespace belay::agent
