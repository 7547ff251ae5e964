// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/exit_code.h"
#include "engine/event/secret_mask.h"
#include "engine/nix/nix_store.h"
#include "runner/artifact.h"
#include "runner/load_plan.h"

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

// `belay plan` and what it shares with `belay check`: everything is resolved and no host is
// touched. With --out the plan is also written down, as an artifact (artifact.h).

namespace belay::runner {

/// A plan as far as it could be made, and all that is wrong with it.
struct MadePlan {
  plan::Plan plan;
  plan::Diagnostics problems;
  std::optional<std::string> evaluation_error;
  int signal = 0;                        ///< SIGINT or SIGTERM, where one ended the evaluation
  std::vector<PlannedFlake> flakes = {}; ///< where an artifact was asked for
  std::vector<nix::EvaluateRequest> checks = {}; ///< that could be made
  std::optional<bool> checked = {};              ///< whether they were, where an artifact is made
  std::vector<std::string> failed_checks = {};   ///< a sentence each
  event::SecretMask mask = {};                   ///< for all that is printed
};

/// Reads, evaluates, resolves and looks for paths that nothing builds.
MadePlan make_plan(const LoadOptions& options, nix::NixStore& store, const nix::ProgressSink& sink,
                   const Wait& wait);

/// More to be done while signals are still heard.
using AfterPlan = std::function<void(MadePlan&, nix::NixStore&, const CancelToken&)>;

/// The same with this machine's Nix; SIGINT and SIGTERM end it.
MadePlan make_local_plan(const LoadOptions& options, const AfterPlan& after = {});

/// Whether nothing is wrong with it, that is, whether print_problems would return 0.
bool is_good(const MadePlan& made);

/// What each flake of the plan is locked to, for the artifact. Throws Error{evaluation_failed}.
std::vector<PlannedFlake> lock_flakes(const MadePlan& made, const LoadOptions& options,
                                      nix::NixStore& store, const Wait& wait);

/// Makes the checks of the plan's flakes, as run would; says on `err` which, and once a minute what
/// is being built.
void make_checks(MadePlan& made, nix::NixStore& store, const CancelToken& cancel,
                 std::ostream& err);

/// Writes the artifact, and on `err` that it did, or that it did not because of problems; and what
/// it could not take along. Throws Error{invalid_plan | system}.
void save_artifact(const MadePlan& made, const std::string& file, std::ostream& err);

/// Every problem on its line. Returns the exit code that they mean: 3 for a wrong plan, 20 for a
/// flake or a node that could not be evaluated, 4 where no node is left, 130 or 143 after a signal,
/// else 0.
event::ExitCode print_problems(const MadePlan& made, std::ostream& err);

/// The plan on `out` unless there are errors in it, the problems on `err`.
event::ExitCode print_plan(const MadePlan& made, PlanFormat format, std::ostream& out,
                           std::ostream& err);

/// The verb: print_plan on stdout and stderr.
event::ExitCode show_plan(const PlanOptions& options);

} // namespace belay::runner
