// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/run_state.h"

#include <optional>
#include <string>

// What became of a profile, read off the run state: the one reading that console and JUnit share,
// so that they can never tell two different stories.

namespace belay::reporters {

enum class ProfileEnd {
  open, ///< still going on, or the run ended without a word about it
  deployed,
  for_next_boot, ///< the profile is set, and what runs is what ran
  dry_run,       ///< its script went well, and nothing was changed
  unchanged,     ///< activated again, the closure was the running one
  rolled_back,
  rollback_failed,
  state_unknown,
  unreachable,
  failed,
  error,
  left_to_target,
  cancelled,
  skipped,
};

/// "deployed", "ROLLED BACK": what is bad is in capitals.
std::string_view label_of(ProfileEnd end);
/// All went well.
bool is_good(ProfileEnd end);
/// It belongs among the failures at the end.
bool is_bad(ProfileEnd end);

ProfileEnd end_of(const event::NodeState& node, const event::ProfileState& profile);
/// As end_of, once the run is over: nothing is good of a node whose own end nobody told.
ProfileEnd final_end_of(const event::NodeState& node, const event::ProfileState& profile);

/// The stage that ended badly; nullptr where none did.
const event::StageState* broken_stage(const event::ProfileState& profile);
/// The stage of that kind; nullptr where the profile has none.
const event::StageState* stage_of(const event::ProfileState& profile, event::Stage stage);

/// A reason for a person: "another node failed first" for `fail-fast`; most say enough themselves.
std::string sentence_of(std::string_view reason);
/// What stage.finished says; of a stage that was merely cancelled, "during copy".
std::string message_of(const event::StageState& stage);
/// What went wrong, on one line, without "node/profile: " before it; empty where nothing did.
std::string trouble_of(const event::NodeState& node, const event::ProfileState& profile);
/// The log that explains it: of the broken stage, else of the activation, else of the node.
std::string_view log_of(const event::NodeState& node, const event::ProfileState& profile);

/// "gen 17 → 18 → 17"; empty where no generation is known.
std::string generations_of(const event::ProfileState& profile);
/// "generation 17 is back and was verified"; empty without a rollback.
std::string rollback_sentence(const event::ProfileState& profile);

} // namespace belay::reporters
