// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/decision.h"
#include "engine/agent/journal.h"
#include "engine/agent/profile_store.h"
#include "engine/agent/record.h"
#include "engine/agent/scripts.h"
#include "engine/agent/view.h"
#include "engine/base/clock.h"

#include <string>

// The part that may never be wrong: what is done to a target's profiles, and in which order.
//
//   prepared → switched → activated → awaiting_confirm → [setting_boot_default →] confirmed
//        (any of them) → rolling_back → rolled_back | rollback_failed
//
// With boot_after_confirm a new generation is only tried until it is confirmed: a reboot before
// that brings up the old one by itself. Confirmed in time, it becomes the boot default, and only
// then is it called confirmed. A keeper that dies on the way does it again. Where it cannot be
// done, or the machine was restarted before it was, what runs and what would be booted are two
// things: that is no success, so it goes back to what was recorded, whose own script makes that the
// boot default.
//
// A profile in boot mode is set, its script makes it what is booted next, and what runs is not
// touched; there is nothing to confirm. Going back leaves what runs alone too, and only gives the
// boot default back - but after a reboot it may be the new generation that runs: then the old one
// is activated. A dry run sets nothing and has no way back, because it went nowhere: `roll_back` is
// the one door to it, and it is shut.
//
// It runs in the keeper's one thread and owns nothing but its place in the journal: each step is
// noted, then done. It may be killed between any two lines. Whoever makes a Transaction from the
// same record and journal afterwards and calls recover() ends it: confirmed where that had been
// decided, else back to what was recorded; but what somebody else has set since is left to him. The
// world is reached through seams only, so that a test
// can kill it at every one of them.

namespace belay::agent {

class Transaction {
public:
  struct Seams {
    Journal& journal;
    Decisions& decisions;
    ProfileStore& profiles;
    Scripts& scripts;
    Clock& clock;
    std::string boot; ///< of now
  };
  Transaction(const Record& record, View view, Seams seams);

  const View& view() const { return view_; }

  /// Ends, or takes up again, what a keeper that died has left. Legal in any state.
  void recover();
  /// Ends it where it stands, for whatever ends each keeper would end us, too: what was decided is
  /// decided, and for the rest nobody can vouch. Nothing is undone or run.
  void give_up(const std::string& why);
  /// Sets the profile and runs its script. Returns when its end is known or its confirm deadline
  /// runs.
  void activate(std::size_t profile);
  /// Looks at decisions and deadlines; rolls back what has expired.
  void tick();
  /// Back to what was recorded, if the profile is still what this transaction set.
  void revoke(std::size_t profile);
  /// No further activation; what awaits its confirmation is rolled back at once, a script that runs
  /// when it ends.
  void abandon();

  /// Nothing will change by itself any more.
  bool decided() const;
  /// Notes an entry about the whole transaction or a request.
  void note(Entry entry);
  /// On the way back to safety a journal that cannot be written (a full disk) must not stop us.
  void note_safely(Entry entry);

private:
  struct Why {
    std::string reason, message;
  };

  void recover_profile(std::size_t profile);
  void give_up_profile(std::size_t profile, const Why& why);
  void try_out(std::size_t profile);
  bool is_dry(std::size_t profile) const;
  void run_script(std::size_t profile);
  void settle(std::size_t profile);
  void await_confirm(std::size_t profile);
  void confirm(std::size_t profile);
  void set_boot_default(std::size_t profile);
  void run_boot_script(std::size_t profile);
  void fail(std::size_t profile, const Why& why);
  void leave_as_it_is(std::size_t profile, const Why& why);
  void leave_running(std::size_t profile, const Why& why);
  ScriptResult run_patiently(const ScriptCall& call);
  void look_at_decision(std::size_t profile);
  void expire(std::size_t profile, const Why& why);
  void roll_back(std::size_t profile, const Why& why);
  void roll_back_ours(std::size_t profile, const Why& why);
  bool is_superseded(std::size_t profile);
  bool supersede(std::size_t profile, const std::string& by);
  void finish_roll_back(std::size_t profile);
  Problem undo(std::size_t profile);
  Problem reactivate(std::size_t profile);
  ScriptCall::Kind forward(std::size_t profile) const;
  ScriptCall::Kind backward(std::size_t profile) const;
  ScriptCall call(std::size_t profile, ScriptCall::Kind kind) const;
  Why why_expired(std::size_t profile) const;
  bool other_boot(std::size_t profile) const { return view_.profiles[profile].boot != seams_.boot; }

  const Record& record_;
  View view_;
  Seams seams_;
  bool recovering_ = false; ///< nobody knows how long ago all that was
};

} // namespace belay::agent
