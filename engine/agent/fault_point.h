// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/journal.h"

#include <string>
#include <string_view>
#include <vector>

// Where a test may cut an agent off. Around everything that outlives the agent - an entry of the
// journal, a file that is replaced, a link that is changed, a program that is started - stands one
// CutAround, whose points are before and after it; an entry also has one in its middle, and a file
// that is replaced has them where replace_file is half done (fault_replace.cpp).
// `belay-agent` is built without all that: there the class is empty. `belay-agent-faults`, which
// only tests know, is built from the same sources with BELAY_FAULT_POINTS, tells its points by
// --list-fault-points, and at the one that a file names, once, stops or kills itself
// (fault_point.cpp).

namespace belay::agent {

/// What is done beside the journal and outlives who did it.
enum class Deed {
  make_folder,
  hold_decision,
  make_profile_folder,
  add_roots,
  arm_boot_unit,
  write_seen,
  write_record,
  start_keeper,
  drop_request,
  remove_request,
  offer_decision,
  show_canary,
  take_canary,
  decide_confirmed,
  decide_expired,
  set_profile,
  switch_generation,
  delete_generation,
  restore_link,
  remove_link,
  write_mark,
  start_script,
  await_script,
  stop_leftovers,
  drop_roots,
  disarm_boot_unit,
  write_reported,
  keep_log,
  sweep,
};

#ifdef BELAY_FAULT_POINTS

/// "before-" and "after-" a name.
class CutAround {
public:
  explicit CutAround(Deed deed);
  explicit CutAround(Step step); ///< being written
  CutAround(const CutAround&) = delete;
  CutAround& operator=(const CutAround&) = delete;
  ~CutAround();

private:
  std::string name_;
  std::string outer_; ///< what was in hand before
};

/// Says that `point` is passed, and dies there if that is what was asked for.
void pass_fault_point(const std::string& point);
/// The signal that was asked for at `point`, once; 0 for none.
int signal_at_fault_point(const std::string& point);
/// Of the innermost deed that this thread is about; empty where there is none.
const std::string& deed_in_hand();
/// The points within files that are replaced (fault_replace.cpp).
std::vector<std::string> replace_fault_points();
std::string_view name_of(Deed deed);

/// Writes half of `line`, if that is what was asked for; and goes no further then.
void cut_within(Step step, int fd, std::string_view line);

/// Where main() is asked for them: prints all, one a line.
bool told_fault_points(std::string_view first_word);

#else

class CutAround {
public:
  constexpr explicit CutAround(Deed) {}
  constexpr explicit CutAround(Step) {}
};

constexpr void cut_within(Step, int, std::string_view) {}

constexpr bool told_fault_points(std::string_view) {
  return false;
}

#endif

} // namespace belay::agent
