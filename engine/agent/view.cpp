// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/view.h"

namespace belay::agent {

namespace {

void enter(ProfileView& profile, const Entry& entry, State state) {
  profile.state = state;
  if (!entry.reason.empty()) {
    profile.reason = entry.reason;
  }
  if (!entry.message.empty()) {
    profile.message = entry.message;
  }
}

void end_script(ProfileView& profile, const Entry& entry) {
  profile.script_ended = true;
  profile.script_reason = entry.reason;
  profile.message = entry.message;
  profile.exit_status = entry.exit_status;
  profile.signal = entry.signal;
  profile.script_duration = entry.duration;
  profile.boot = entry.boot;
}

void apply_to(ProfileView& profile, const Entry& entry) {
  switch (entry.step) {
  case Step::request:
    profile.asked = true;
    return;
  case Step::revoking:
    profile.revoke_asked = true;
    return;
  case Step::switching:
    profile.switching = true;
    return;
  case Step::switched:
    profile.made = entry.generation;
    return enter(profile, entry, State::switched);
  case Step::script_starting:
    profile.script_started = true;
    return;
  case Step::script_ended:
    return end_script(profile, entry);
  case Step::activated:
    return enter(profile, entry, State::activated);
  case Step::awaiting_confirm:
    profile.deadline = entry.deadline;
    profile.boot = entry.boot;
    return enter(profile, entry, State::awaiting_confirm);
  case Step::setting_boot_default:
    ++profile.boot_attempts;
    return enter(profile, entry, State::setting_boot_default);
  case Step::confirmed:
    return enter(profile, entry, State::confirmed);
  case Step::dry_run:
    return enter(profile, entry, State::dry_run);
  case Step::failed:
    return enter(profile, entry, State::failed);
  case Step::rolling_back:
    return enter(profile, entry, State::rolling_back);
  case Step::reactivating:
    ++profile.reactivations;
    return;
  case Step::rolled_back:
    return enter(profile, entry, State::rolled_back);
  case Step::rollback_failed:
    return enter(profile, entry, State::rollback_failed);
  case Step::superseded:
    return enter(profile, entry, State::superseded);
  case Step::keeping:
  case Step::abandoned:
  case Step::finished:
  case Step::closed:
    return; // of the transaction
  }
}

} // namespace

View::View(std::size_t count, const std::vector<Entry>& journal) : View(count) {
  for (const auto& entry : journal) {
    apply(entry);
  }
}

void View::apply(const Entry& entry) {
  in_vain = entry.step == Step::keeping ? in_vain + 1 : 0;
  if (entry.step == Step::abandoned) {
    abandoned = true;
  } else if (entry.step == Step::finished) {
    finished = true;
  } else if (entry.step == Step::closed) {
    closed = true;
    closed_at = entry.time;
  }
  if (entry.step == Step::request) {
    requests[entry.request] = entry;
  }
  if (entry.profile && *entry.profile < profiles.size()) {
    apply_to(profiles[*entry.profile], entry);
  }
}

} // namespace belay::agent
