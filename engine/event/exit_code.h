// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

// The exit codes are an API: pipelines branch on them. One table here says number, name and
// meaning;
// --help, docs/exit-codes.md and its test read this table. 64-78, 100-104 and 124-127 are left to
// sysexits, Nix, timeout(1) and the shell.

namespace belay::event {

enum class ExitCode {
  ok = 0,
  internal = 1,
  usage = 2,
  plan_invalid = 3,
  nothing_selected = 4,
  failed = 10,
  rolled_back = 11,
  state_unknown = 12,
  unreachable = 13,
  deadline = 14,
  lock_held = 15,
  evaluation = 20,
  build = 21,
  copy = 22,
  secret = 30,
  reporting = 40,
  interrupted = 130,
  terminated = 143,
};

struct ExitCodeInfo {
  ExitCode code;
  std::string_view name; ///< kebab-case; the `reason` of run.finished
  std::string_view meaning;
};

/// All of them, by number.
std::span<const ExitCodeInfo> exit_codes();

const ExitCodeInfo& exit_code_info(ExitCode code);

/// The worse of two, by the order 12 > 1 > 130/143 > 11 > 10 > 14 > 13 > 22 > 21 > 20 > 15 > 30 >
/// 40 > 0 (2, 3 and 4 end a run before there is a second one).
ExitCode worse(ExitCode a, ExitCode b);

} // namespace belay::event
