// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/restore.h"
#include "engine/agent/transaction.h"

// What is done after the death of a keeper: by its successor at once, or by the next deploy, weeks
// later. And what was done by others meanwhile.

namespace belay::agent {

void Transaction::recover() {
  recovering_ = true;
  for (std::size_t profile = view_.profiles.size(); profile-- > 0;) {
    recover_profile(profile);
  }
  tick();
  for (std::size_t profile = view_.profiles.size(); profile-- > 0;) {
    if (view_.profiles[profile].revoke_asked) {
      revoke(profile); // as had been promised; one that has ended otherwise stays as it is
    }
  }
  recovering_ = false;
}

void Transaction::recover_profile(std::size_t profile) {
  const auto& view = view_.profiles[profile];
  const auto& wanted = record_.profiles[profile].wanted;
  const Why interrupted{view_.abandoned ? "abandoned" : "interrupted",
                        "the activation was interrupted"};
  if (is_final(view.state) || view.state == State::awaiting_confirm) {
    return;
  }
  const bool booting = view.state == State::setting_boot_default;
  const bool reactivating = view.reactivations > 0;
  const auto left = reactivating ? backward(profile)
                    : booting    ? ScriptCall::Kind::boot
                                 : forward(profile);
  const bool may_run = reactivating || booting || (view.script_started && !view.script_ended);
  if (may_run && !seams_.scripts.stop_leftovers(call(profile, left))) {
    if (is_dry(profile)) {
      return leave_as_it_is(
          profile, {"script-not-stopped", "the script of the interrupted dry run runs on"});
    }
    return leave_running(
        profile, {"script-not-stopped", "a script of the interrupted keeper could not be stopped"});
  }
  if (view.state == State::rolling_back) {
    if (!is_superseded(profile)) {
      finish_roll_back(profile);
    }
  } else if (booting) {
    set_boot_default(profile);
  } else if (view.script_ended) {
    settle(profile);
  } else if (is_dry(profile)) {
    if (view.asked) {
      leave_as_it_is(profile, {interrupted.reason, "the dry run was interrupted"});
    }
  } else if (view.script_started && !wanted.auto_rollback && !wanted.magic_rollback) {
    note_safely({.step = Step::failed,
                 .profile = profile,
                 .reason = interrupted.reason,
                 .message = interrupted.message});
  } else if (view.switching) {
    roll_back(profile, interrupted);
  } else if (view.asked) { // nothing was touched: nothing is to be put back
    note_safely({.step = Step::rolled_back,
                 .profile = profile,
                 .reason = interrupted.reason,
                 .message = interrupted.message});
  }
}

void Transaction::give_up(const std::string& why) {
  for (std::size_t profile = view_.profiles.size(); profile-- > 0;) {
    const auto& view = view_.profiles[profile];
    if (!is_final(view.state) && (view.asked || view.switching)) {
      give_up_profile(profile, {view.reason.empty() ? "interrupted" : "", why});
    }
  }
}

void Transaction::give_up_profile(std::size_t profile, const Why& why) {
  const auto& view = view_.profiles[profile];
  const bool confirmed = view.state == State::awaiting_confirm &&
                         seams_.decisions.decide(profile, Verdict::expired) == Verdict::confirmed;
  if (is_dry(profile)) {
    leave_as_it_is(profile, why);
  } else if (confirmed && !record_.profiles[profile].wanted.boot_after_confirm) {
    note_safely({.step = Step::confirmed, .profile = profile});
  } else {
    const auto end = view.switching ? Step::rollback_failed : Step::rolled_back;
    note_safely({.step = end, .profile = profile, .reason = why.reason, .message = why.message});
  }
}

/// Whether the profile is somebody else's by now: then nothing of it may be undone.
bool Transaction::is_superseded(std::size_t profile) {
  const auto reading = seams_.profiles.read(record_.profiles[profile].path);
  return is_theirs(reading, record_.profiles[profile]) &&
         supersede(profile, reading.generation.path);
}

bool Transaction::supersede(std::size_t profile, const std::string& by) {
  note_safely({.step = Step::superseded,
               .profile = profile,
               .reason = "superseded",
               .message = by.empty() ? "the profile was removed meanwhile"
                                     : "the profile was set to " + by + " meanwhile"});
  return true;
}

} // namespace belay::agent
