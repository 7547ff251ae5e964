// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/restore.h"
#include "engine/agent/transaction.h"
#include "engine/base/error.h"

// From "somebody could still get in" to "confirmed": at once, or by way of the boot loader.

namespace belay::agent {

namespace {

constexpr const char* boot_default_failed = "boot-default-failed";

} // namespace

void Transaction::confirm(std::size_t profile) {
  if (record_.profiles[profile].wanted.boot_after_confirm) {
    return set_boot_default(profile);
  }
  note_safely({.step = Step::confirmed, .profile = profile});
}

void Transaction::set_boot_default(std::size_t profile) {
  if (other_boot(profile)) { // what was on trial ended with that boot
    return roll_back_ours(profile, {boot_default_failed, "the machine was restarted before the new "
                                                         "generation had become its boot default"});
  }
  const auto& recorded = record_.profiles[profile];
  const auto reading = seams_.profiles.read(recorded.path);
  if (!leads_to(recorded.closure_path, reading.generation.path)) { // scripts may go by the link
    supersede(profile, reading.generation.path);
    return;
  }
  if (view_.profiles[profile].boot_attempts >= most_attempts_of_a_script) {
    return fail(profile,
                {boot_default_failed, "making it the boot default: the script ended its keeper " +
                                          std::to_string(most_attempts_of_a_script) + " times"});
  }
  try {
    note({.step = Step::setting_boot_default, .profile = profile});
  } catch (const Error& error) { // who came after us would not know that the script may run
    return fail(profile, {"system", error.message()});
  }
  run_boot_script(profile);
}

void Transaction::run_boot_script(std::size_t profile) {
  const auto result = run_patiently(call(profile, ScriptCall::Kind::boot));
  const auto how = "making it the boot default: the script " + describe(result);
  if (!result.emptied) {
    return leave_running(profile, {"script-not-stopped", how + " and could not be stopped"});
  }
  if (!result.succeeded()) {
    return fail(profile, {boot_default_failed, how});
  }
  note_safely({.step = Step::confirmed, .profile = profile});
}

} // namespace belay::agent
