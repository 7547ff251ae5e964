// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/run/node_link.h"
#include "engine/run/stage_report.h"

// The lock of a node: for each user who owns profiles there an agent is started, by the login of
// those profiles, and asked to prepare. It takes the lock of its state directory, records what runs
// and roots what came. Two logins of one user meet in one transaction, or this run would be locked
// out by itself.

namespace belay::run {

struct Opening {
  const Contact& contact;
  const plan::Node& node;
  NodeLink& link; ///< its connections have brought closures and agents over; gets its owners here
  NodeStages& stages;
  CancelToken cancel;
};

/// Tells the `lock` stage of each profile. Throws Error as the agent's refusal means it, or of the
/// way there; locks that were taken by then are given back, nothing was changed under them.
void open_transactions(const Opening& opening);

} // namespace belay::run
