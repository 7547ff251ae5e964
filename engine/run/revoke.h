// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/run/node_link.h"
#include "engine/run/stage_report.h"

#include <vector>

// Taking back what was confirmed: the target goes back to the recorded generation and re-activates
// it, but only where the profile still is what this deploy set. Said to have worked only after a
// fresh login read the link back.

namespace belay::run {

/// What became of a node's revocation as a whole.
struct RevokeResult {
  event::Rollback rollback = event::Rollback::none;
  std::string message;    ///< of the first profile that could not be taken back
  std::string superseded; ///< says so where somebody else set a profile meanwhile
  std::string cancelled;  ///< says so where the run's patience ended first
  std::string decides_by; ///< then, where the target goes on by itself: until when
  std::optional<int> generation_after;
};

struct RevokeRequest {
  std::vector<const plan::Profile*> profiles; ///< in the order in which they were activated
  event::RollbackTrigger trigger = event::RollbackTrigger::run_failed;
};

/// Revokes last activated first, each independent of the others. Never throws.
RevokeResult revoke(const Contact& contact, const plan::Node& node, NodeLink& link,
                    const RevokeRequest& request, NodeStages& stages, const CancelToken& cancel);

/// What it means for the node: the worst that happened to any of its profiles. Fills reason and
/// message.
event::Outcome judge_revoked(const RevokeResult& revoked, std::string& reason,
                             std::string& message);

} // namespace belay::run
