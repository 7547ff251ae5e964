// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/journal.h"
#include "engine/agent/protocol.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

// How far a transaction is: its journal, folded. A keeper that starts anew and a serve that only
// looks on see the same, because both see nothing but this.

namespace belay::agent {

struct ProfileView {
  State state = State::prepared;
  bool asked = false;          ///< an activate was accepted
  bool switching = false;      ///< the link may be changed
  bool script_started = false; ///< something may have been activated
  bool script_ended = false;
  bool revoke_asked = false; ///< and accepted: also a successor owes it
  int reactivations = 0;     ///< how often the old generation's script was about to run
  int boot_attempts = 0;     ///< how often the boot script was about to run
  std::string script_reason; ///< of script_ended; empty = it ended well
  std::string reason;
  std::string message;
  std::optional<int> made; ///< the generation that is ours
  std::optional<int> exit_status;
  std::optional<std::string> signal;
  std::optional<Duration> script_duration;
  std::optional<Instant> deadline;
  std::string boot; ///< of `deadline` and of the script's end
};

struct View {
  explicit View(std::size_t count) : profiles(count) {}
  View(std::size_t count, const std::vector<Entry>& journal);
  void apply(const Entry& entry);

  std::vector<ProfileView> profiles;
  std::map<std::string, Entry> requests; ///< answered ones, by the name of their file
  bool abandoned = false;
  bool finished = false;
  bool closed = false;
  int in_vain = 0; ///< keepers that began since anything else was noted, the present one among them
  WallTime closed_at{};
};

} // namespace belay::agent
