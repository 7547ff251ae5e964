// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/protocol.h"
#include "engine/base/clock.h"

#include <map>
#include <mutex>
#include <string>

// How long a run waits for another one that holds a target. The patience is with that run, not with
// each of its nodes: a hundred nodes that one deploy holds are not worth a hundred waits one after
// the other. It starts when the holder is first met, and anew once it has given something free.
//
// A holder whose runner has gone is another case: nobody will finish it, but its target ends it by
// itself, in a time that the target knows. That end is waited for.
//
// Two runs may each hold what the other one wants. Both would wait, and both would fail; so the
// earlier of two runs, by its id, waits a little longer, and gets what the later one lets go.

namespace belay::run {

/// Who holds a target's lock, as its agent says.
struct LockHolder {
  std::string run, node, url, since, transaction; ///< empty = not known
  bool attended = true;                           ///< false: its runner is not heard of any more
  bool unfinished = false;                        ///< nothing ends it but a real run
  bool deployed = false; ///< by another node of this run, which is the same machine: for good
  Duration rest{};       ///< in which an unattended one ends by itself
};

/// Of a Refusal{lock-held}; of an agent that does not say so much, what it says.
LockHolder holder_of(const agent::Refusal& refusal);

/// "run 0190… (https://ci.example/job/7) since 2026-03-01T12:00:00.000Z"
std::string describe(const LockHolder& holder);

/// Of one run. Any thread.
class LockPatience {
public:
  /// `longest` zero: nobody is waited for. `own_run`: a UUIDv7, which sorts by time.
  LockPatience(Duration longest, std::string own_run);

  /// Until when `holder` is waited for, by a node that has waited since `began`.
  Instant until(const LockHolder& holder, Instant began);
  /// A node got what `run` had held.
  void gave_way(const std::string& run);

private:
  const Duration longest_;
  const std::string own_run_;
  std::mutex mutex_;
  std::map<std::string, Instant> met_; ///< by run: since when it is waited for
};

} // namespace belay::run
