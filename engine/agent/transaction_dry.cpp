// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/transaction.h"
#include "engine/base/error.h"

// The dry run: one script, and nothing before or after it.

namespace belay::agent {

bool Transaction::is_dry(std::size_t profile) const {
  return record_.profiles[profile].wanted.mode == Mode::dry;
}

void Transaction::try_out(std::size_t profile) {
  if (view_.profiles[profile].script_started) { // asked again
    return;
  }
  try {
    run_script(profile);
  } catch (const Error& error) { // not even noted: its end would not be known
    return leave_as_it_is(profile, {"system", error.message()});
  }
  settle(profile);
}

} // namespace belay::agent
