// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"
#include "engine/event/event.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// A step is what is scheduled; a stage is what events name. Build works for many nodes at once (one
// Nix process builds in parallel better than many). Every other step works on one node and covers
// several stages: Survey connects and asks the target what it is, before anything is built for it;
// Copy has the target build what is to be built there, signs, copies and takes the target's lock;
// Activate activates, confirms and verifies each profile in turn; Rollback revokes what this run
// confirmed; Finish tells the target that nothing will be revoked any more. Lock belongs to Copy so
// that a held lock, too, is found before anything is activated anywhere.
//
// Each step tells the end of every announced stage that it covers, of each profile, also of those
// that it does not reach (skipped): Build - build; Copy - build where the target does it, copy,
// lock; Activate - activate, confirm, verify. A Survey that goes well tells nothing; one that does
// not is a Copy that ended before it was begun, and tells what Copy covers. Rollback tells
// `rollback`, which is announced by nobody; Finish covers no stage.

namespace belay::run {

enum class StepKind { evaluate, survey, build, copy, activate, rollback, finish };
std::string_view name_of(StepKind kind);

using NodeIndex = std::size_t; ///< into Plan::nodes
using StepId = std::uint64_t;  ///< unique in a run

struct Step {
  StepId id = 0;
  StepKind kind = StepKind::build;
  std::vector<NodeIndex> nodes; ///< build: all that can be built; evaluate: none; else exactly one
};

/// What a step did to one node.
struct NodeResult {
  NodeIndex node = 0;
  event::Outcome outcome = event::Outcome::success;
  std::string reason;  ///< empty on success
  std::string message; ///< for a person, one line
  bool changed = false;
  bool touched = false;   ///< a profile was, or may have been, switched
  bool confirmed = false; ///< at least one profile is confirmed and can be revoked
  event::Rollback rollback = event::Rollback::none; ///< of what this step had switched
  std::optional<int> generation_after;
  std::string decides_by; ///< left-to-target
};

/// A node for which a step could not be done, and which it did not touch.
NodeResult undone_result(NodeIndex node, ErrorKind error, std::string message);

/// A node of a step that threw, or left it out: nobody knows how far it got. Where the step may
/// have touched the target, that is what has to be said.
NodeResult lost_result(NodeIndex node, StepKind kind, ErrorKind error, std::string message);

struct StepResult {
  StepId id = 0;
  std::vector<NodeResult> nodes; ///< one for each node of the step
  std::string error;             ///< the step itself could not be done (evaluate, internal)
};

/// An event that a step wants told; the loop gives it its number.
struct StepOutput {
  StepId id = 0;
  event::Draft draft;
};
struct Interrupt {
  int signal = 0; ///< SIGINT or SIGTERM
};
struct Timer {};

/// What the loop's one wait returns: completions, signals and time pass one ordered door.
using Occurrence = std::variant<StepOutput, StepResult, Interrupt, Timer>;

} // namespace belay::run
