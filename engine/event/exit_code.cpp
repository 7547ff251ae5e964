// SPDX-License-Identifier: Apache-2.0
#include "engine/event/exit_code.h"

#include <algorithm>
#include <array>

namespace belay::event {

namespace {

constexpr std::array<ExitCodeInfo, 18> table{{
    {ExitCode::ok, "ok", "all selected nodes are in the desired state, changed or not"},
    {ExitCode::internal, "internal", "an error in belay itself, or one without a class"},
    {ExitCode::usage, "usage", "the command line is wrong"},
    {ExitCode::plan_invalid, "plan-invalid",
     "the plan file or the flake's deploy output is wrong; nothing was touched"},
    {ExitCode::nothing_selected, "nothing-selected", "no node was selected"},
    {ExitCode::failed, "failed",
     "nodes failed; they are unchanged, or changed and not rolled back"},
    {ExitCode::rolled_back, "rolled-back", "nodes failed and were rolled back cleanly"},
    {ExitCode::state_unknown, "state-unknown",
     "a rollback failed, or the state of a node is not known: somebody has to look"},
    {ExitCode::unreachable, "unreachable",
     "every failed node failed to be reached before it was touched"},
    {ExitCode::deadline, "deadline",
     "the run's `--deadline` passed before all was done, or another one before a node was touched"},
    {ExitCode::lock_held, "lock-held",
     "another deploy holds a node, and did not let go within `--lock-wait`"},
    {ExitCode::evaluation, "evaluation", "evaluation or a check of the flake failed"},
    {ExitCode::build, "build", "a build failed before any node was touched"},
    {ExitCode::copy, "copy", "a closure could not be signed, copied or trusted"},
    {ExitCode::secret, "secret", "a login or secret was missing, wrong or refused"},
    {ExitCode::reporting, "reporting",
     "the deploy is good, but a report or webhook that was required could not be delivered"},
    {ExitCode::interrupted, "interrupted",
     "stopped in an orderly way after SIGINT, or not begun because a person said no"},
    {ExitCode::terminated, "terminated", "stopped in an orderly way after SIGTERM"},
}};

/// The worst first; what ends a run before it has nodes stands where it can meet another one.
constexpr std::array<ExitCode, 18> by_severity{
    ExitCode::state_unknown, ExitCode::internal,         ExitCode::terminated,
    ExitCode::interrupted,   ExitCode::rolled_back,      ExitCode::failed,
    ExitCode::deadline,      ExitCode::unreachable,      ExitCode::copy,
    ExitCode::build,         ExitCode::plan_invalid,     ExitCode::evaluation,
    ExitCode::lock_held,     ExitCode::secret,           ExitCode::reporting,
    ExitCode::usage,         ExitCode::nothing_selected, ExitCode::ok};

std::ptrdiff_t rank(ExitCode code) {
  return std::find(by_severity.begin(), by_severity.end(), code) - by_severity.begin();
}

} // namespace

std::span<const ExitCodeInfo> exit_codes() {
  return table;
}

const ExitCodeInfo& exit_code_info(ExitCode code) {
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const ExitCodeInfo& info) { return info.code == code; });
  return found == table.end() ? table[1] : *found;
}

ExitCode worse(ExitCode a, ExitCode b) {
  return rank(a) <= rank(b) ? a : b;
}

} // namespace belay::event
