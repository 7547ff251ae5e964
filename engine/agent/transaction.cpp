// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/transaction.h"

#include "engine/agent/restore.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>

namespace belay::agent {

namespace {

constexpr std::chrono::seconds retry_pause{2};

Entry script_end_entry(std::size_t profile, const ScriptResult& result) {
  Entry entry{.step = Step::script_ended, .profile = profile};
  entry.exit_status = result.exit_status;
  entry.signal = result.signal;
  entry.duration = result.duration;
  if (!result.emptied) {
    entry.reason = "script-not-stopped";
    entry.message = "the activation script could not be stopped";
  } else if (!result.succeeded()) {
    entry.reason =
        result.end == ScriptResult::End::timed_out ? "activation-timeout" : "activation-failed";
    entry.message = "activation " + describe(result);
  }
  return entry;
}

/// What ran was not what the profile has.
bool has_drifted(const RecordedProfile& recorded) {
  return recorded.reactivate != recorded.generation.path;
}

/// What kept a script from its start, or from its end, may be over in a moment: somebody else's
/// lock, no process, memory or descriptor to be had on a host that is just what goes wrong.
bool may_pass(const ScriptResult& result) {
  return met_a_lock(result) || result.end == ScriptResult::End::unstarted ||
         (result.end == ScriptResult::End::lost && result.emptied);
}

} // namespace

Transaction::Transaction(const Record& record, View view, Seams seams)
    : record_(record), view_(std::move(view)), seams_(std::move(seams)) {}

void Transaction::note(Entry entry) {
  entry.time = seams_.clock.wall();
  seams_.journal.append(entry);
  view_.apply(entry);
}

void Transaction::note_safely(Entry entry) {
  try {
    note(entry);
  } catch (const Error&) {
    view_.apply(entry);
  }
}

bool Transaction::decided() const {
  return std::all_of(view_.profiles.begin(), view_.profiles.end(), [](const ProfileView& profile) {
    return is_final(profile.state) || (profile.state == State::prepared && !profile.switching);
  });
}

// ---- forward ----

void Transaction::activate(std::size_t profile) {
  const auto& recorded = record_.profiles[profile];
  const auto& view = view_.profiles[profile];
  if (view_.abandoned || view.switching || is_final(view.state)) {
    return;
  }
  if (is_dry(profile)) {
    return try_out(profile);
  }
  if (is_superseded(profile)) { // what was recorded may be hours old: nothing is touched
    return;
  }
  try {
    note({.step = Step::switching, .profile = profile});
    const auto problem = seams_.profiles.set(recorded.path, recorded.wanted.closure);
    const auto reading = seams_.profiles.read(recorded.path);
    if (problem || reading.generation.path != recorded.closure_path) {
      return roll_back(profile,
                       {"switch-failed", problem.value_or("the profile is not what was set")});
    }
    note({.step = Step::switched, .profile = profile, .generation = reading.generation.number});
    run_script(profile);
  } catch (const Error& error) { // not even noted: nothing further may be done
    return roll_back(profile, {"system", error.message()});
  }
  settle(profile);
}

void Transaction::run_script(std::size_t profile) {
  note({.step = Step::script_starting, .profile = profile});
  auto entry = script_end_entry(profile, seams_.scripts.run(call(profile, forward(profile))));
  entry.boot = seams_.boot;
  note(entry);
}

/// The script has ended: what now?
void Transaction::settle(std::size_t profile) {
  const auto& wanted = record_.profiles[profile].wanted;
  const auto& ended = view_.profiles[profile];
  const Why failure{ended.script_reason, ended.message};
  if (is_dry(profile)) {
    return failure.reason.empty() ? note_safely({.step = Step::dry_run, .profile = profile})
                                  : leave_as_it_is(profile, failure);
  }
  if (failure.reason == "script-not-stopped") {
    return leave_running(profile, failure);
  }
  if (view_.abandoned) {
    return roll_back_ours(profile, {"abandoned", failure.message});
  }
  if (!failure.reason.empty()) {
    return fail(profile, failure);
  }
  note_safely({.step = Step::activated, .profile = profile});
  if (!wanted.magic_rollback || wanted.mode == Mode::boot) {
    return confirm(profile);
  }
  await_confirm(profile);
}

/// The script is at fault, not the way in.
void Transaction::fail(std::size_t profile, const Why& why) {
  if (record_.profiles[profile].wanted.auto_rollback) {
    return roll_back_ours(profile, why);
  }
  leave_as_it_is(profile, why);
}

void Transaction::leave_as_it_is(std::size_t profile, const Why& why) {
  note_safely(
      {.step = Step::failed, .profile = profile, .reason = why.reason, .message = why.message});
}

/// Something of a script is alive: whatever we did beside it, it could undo.
void Transaction::leave_running(std::size_t profile, const Why& why) {
  note_safely({.step = Step::rollback_failed,
               .profile = profile,
               .reason = why.reason,
               .message = why.message});
}

void Transaction::await_confirm(std::size_t profile) {
  if (other_boot(profile)) { // the script ended before a reboot: nobody could have confirmed
    return roll_back(profile, why_expired(profile));
  }
  try {
    seams_.decisions.offer(profile);
    note({.step = Step::awaiting_confirm,
          .profile = profile,
          .deadline = seams_.clock.now() + record_.profiles[profile].wanted.confirm_timeout,
          .boot = seams_.boot});
  } catch (const Error& error) { // who saw the entry may have confirmed, though it is not synced
    expire(profile, {"system", error.message()});
  }
}

// ---- the decision ----

void Transaction::tick() {
  for (std::size_t profile = view_.profiles.size(); profile-- > 0;) {
    if (view_.profiles[profile].state == State::awaiting_confirm) {
      look_at_decision(profile);
    }
  }
}

void Transaction::look_at_decision(std::size_t profile) {
  const auto verdict = seams_.decisions.read(profile);
  if (verdict == Verdict::confirmed) {
    confirm(profile);
  } else if (verdict == Verdict::expired) {
    roll_back_ours(profile, why_expired(profile));
  } else if (view_.abandoned || other_boot(profile) ||
             seams_.clock.now() >= view_.profiles[profile].deadline.value_or(Instant::min())) {
    expire(profile, why_expired(profile));
  }
}

Transaction::Why Transaction::why_expired(std::size_t profile) const {
  if (view_.abandoned) {
    return {"abandoned", "the deploy was abandoned before it was confirmed"};
  }
  if (other_boot(profile)) {
    return {"confirm-timeout", "the machine was restarted before the deploy was confirmed"};
  }
  const Duration timeout = record_.profiles[profile].wanted.confirm_timeout;
  return {"confirm-timeout", "not confirmed within " + format_duration(timeout)};
}

void Transaction::expire(std::size_t profile, const Why& why) {
  if (seams_.decisions.decide(profile, Verdict::expired) == Verdict::confirmed) {
    confirm(profile);
  } else {
    roll_back_ours(profile, why);
  }
}

void Transaction::revoke(std::size_t profile) {
  if (is_dry(profile)) {
    return;
  }
  const Why why{"revoked", "revoked by the deploy"};
  const auto state = view_.profiles[profile].state;
  if (state == State::awaiting_confirm) {
    expire(profile, why);
  }
  const auto& recorded = record_.profiles[profile];
  if (view_.profiles[profile].state != State::confirmed && state != State::failed) {
    return;
  }
  const auto reading = seams_.profiles.read(recorded.path);
  if (leads_to(recorded.closure_path, reading.generation.path)) {
    return roll_back(profile, why);
  }
  supersede(profile, reading.generation.path);
}

void Transaction::abandon() {
  if (!view_.abandoned) {
    note_safely({.step = Step::abandoned});
  }
  tick();
}

// ---- back ----

ScriptCall::Kind Transaction::forward(std::size_t profile) const {
  const auto& wanted = record_.profiles[profile].wanted;
  switch (wanted.mode) {
  case Mode::dry:
    return ScriptCall::Kind::dry;
  case Mode::boot:
    return ScriptCall::Kind::boot;
  case Mode::activate:
    break;
  }
  return wanted.boot_after_confirm ? ScriptCall::Kind::trial : ScriptCall::Kind::activation;
}

/// What was only to be booted never ran, unless the machine was restarted since.
ScriptCall::Kind Transaction::backward(std::size_t profile) const {
  const bool never_ran =
      record_.profiles[profile].wanted.mode == Mode::boot && record_.boot == seams_.boot;
  return never_ran ? ScriptCall::Kind::boot_back : ScriptCall::Kind::rollback;
}

ScriptCall Transaction::call(std::size_t profile, ScriptCall::Kind kind) const {
  const auto& recorded = record_.profiles[profile];
  const bool back = goes_back(kind);
  if (kind == ScriptCall::Kind::dry) {
    return {.kind = kind,
            .profile = profile,
            .generation = recorded.wanted.closure,
            .profile_path = recorded.wanted.closure,
            .limit = recorded.wanted.activation_timeout};
  }
  const bool drifted = has_drifted(recorded);
  return {.kind = kind,
          .profile = profile,
          .generation = back ? recorded.reactivate : recorded.wanted.closure,
          // Scripts go by $PROFILE, and the link would lead them astray.
          .profile_path = back && drifted ? recorded.reactivate : recorded.path,
          .limit = recorded.wanted.activation_timeout};
}

/// Time has passed since we set it.
void Transaction::roll_back_ours(std::size_t profile, const Why& why) {
  if (!is_superseded(profile)) {
    roll_back(profile, why);
  }
}

void Transaction::roll_back(std::size_t profile, const Why& why) {
  if (is_dry(profile)) {
    return leave_as_it_is(profile, why);
  }
  if (recovering_ && is_superseded(profile)) {
    return;
  }
  note_safely({.step = Step::rolling_back,
               .profile = profile,
               .reason = why.reason,
               .message = why.message});
  finish_roll_back(profile);
}

void Transaction::finish_roll_back(std::size_t profile) {
  if (const auto problem = undo(profile)) {
    const auto& why = view_.profiles[profile].message;
    note_safely({.step = Step::rollback_failed,
                 .profile = profile,
                 .message = (why.empty() ? "" : why + "; ") + *problem});
  } else {
    note_safely({.step = Step::rolled_back, .profile = profile});
  }
}

Problem Transaction::undo(std::size_t profile) {
  try {
    if (const auto problem = restore_profile(seams_.profiles, record_.profiles[profile])) {
      return "the rollback failed: " + *problem;
    }
    // Where no script ever ran, what ran before still runs.
    const bool activated = view_.profiles[profile].script_started;
    return activated && !record_.profiles[profile].reactivate.empty() ? reactivate(profile)
                                                                      : std::nullopt;
  } catch (const Error& error) {
    return "the rollback failed: " + error.message();
  }
}

Problem Transaction::reactivate(std::size_t profile) {
  if (view_.profiles[profile].reactivations >= most_attempts_of_a_script) {
    return "the old generation is back, but its activation ended its keeper or the machine " +
           std::to_string(most_attempts_of_a_script) + " times and is not tried again";
  }
  note_safely({.step = Step::reactivating, .profile = profile});
  const auto result = run_patiently(call(profile, backward(profile)));
  const bool inert =
      result.end == ScriptResult::End::none && !has_drifted(record_.profiles[profile]);
  if (result.succeeded() || inert) {
    return std::nullopt;
  }
  return "the old generation is back, but " +
         std::string(backward(profile) == ScriptCall::Kind::boot_back
                         ? "making it the boot default again: its script "
                         : "its activation ") +
         describe(result);
}

ScriptResult Transaction::run_patiently(const ScriptCall& call) {
  const auto give_up = seams_.clock.now() + foreign_lock_patience;
  auto result = seams_.scripts.run(call);
  while (may_pass(result) && !result.succeeded() && seams_.clock.now() < give_up) {
    seams_.clock.sleep_until(seams_.clock.now() + retry_pause);
    result = seams_.scripts.run(call);
  }
  return result;
}

} // namespace belay::agent
