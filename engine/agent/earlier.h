// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/host.h"
#include "engine/agent/protocol.h"
#include "engine/agent/status.h"
#include "engine/agent/transaction_files.h"

#include <optional>
#include <variant>
#include <vector>

// What earlier transactions on the same state directory mean for a new one: an open one with a
// living keeper has the target; an open one without is ended first; a closed one is told about
// once, keeps its roots for a day unless the run said finish, and then goes.

namespace belay::agent {

/// What becomes of an open transaction that nobody keeps. To end it may set a profile and run its
/// script, which a dry run must not cause; one that is a dry run itself is ended in any case.
enum class Orphans { end, leave };

/// The state directory's mutex, with no other transaction open. Waits while one that nobody kept is
/// being ended. A Refusal{lock-held} names the run that has the target, or whose deploy was left.
std::variant<FileLock, Refusal> take_turn(const Host& host, Orphans orphans = Orphans::end);

/// A Refusal{lock-held} where another node of this very run has deployed a profile of it already,
/// and another closure: those nodes are one machine, and what is true of the first one would be so
/// no more. The caller holds the mutex, and has swept nothing yet.
std::optional<Refusal> deployed_by_twin(const PrepareRequest& request, const Host& host);

/// Removes what is a day old, and roots that nobody needs. The caller holds the mutex.
void sweep(const Host& host);

/// How transactions ended that no run has been told of, for the run that has just opened this one.
/// A reply may be lost on its way: they are told again, also to whoever only asks how that one
/// stands, until its run asks for something to be done, which shows that it was told.
std::vector<EarlierTransaction> ends_to_tell(const View& opened, const Host& host);

/// What prepare and state answer: how a transaction stands, and those ends.
TransactionStatus status_with_earlier(const Snapshot& opened, const Host& host);

/// Notes them as told. Call it when something is asked to be done in `opened`.
void note_told(const View& opened, const Host& host);

/// Removes a transaction's roots; its journal stays.
void drop_roots(const TransactionFiles& files);

/// Whether any transaction there is not closed, or may not be: also where one cannot be read.
bool any_open(const std::filesystem::path& state_directory);

} // namespace belay::agent
