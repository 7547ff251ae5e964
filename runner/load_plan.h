// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/nix/nix_store.h"
#include "engine/plan/resolve.h"
#include "runner/options.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

// From the command line to the plan, in steps, because `run` does the one that takes long in a
// worker of its own: read the plan file; say what has to be evaluated; take the evaluations; join
// all of it. No step stops at a problem, so that everything that is wrong is told at once: the
// flake is evaluated for the sake of its names even where the plan file has mistakes.

namespace belay::runner {

class LoadedPlan {
public:
  /// Reads `--plan`, else ./belay.yaml where there is one. Bad content is a problem, never an
  /// Error.
  explicit LoadedPlan(const LoadOptions& options);

  // What is known before any evaluation; command line over plan file.
  std::string file_name() const; ///< empty = no plan file
  std::string environment() const;
  plan::Reports reports() const;
  std::vector<plan::Webhook> webhooks() const;
  std::set<std::string> sudo_password_variables() const;
  std::vector<std::string> flakes() const; ///< each once, in the order of the targets

  /// One request a flake. None where the plan file could not tell which flakes are meant.
  std::vector<nix::EvaluateRequest>
  evaluations(const std::vector<std::string>& nix_arguments) const;
  /// The JSON that NixStore::evaluate gave for one of them. Throws Error{evaluation_failed}.
  void add_evaluation(const std::string& flake, const std::string& json);

  /// Joins all that was added. Of use only if problems() then holds no error.
  plan::Plan resolve();

  const plan::Diagnostics& problems() const { return problems_; }
  void add_problem(plan::Diagnostic problem) { problems_.push_back(std::move(problem)); }

private:
  const plan::PlanFile* file() const { return file_ ? &*file_ : nullptr; }
  void choose_targets();

  plan::Overrides overrides_;
  std::optional<plan::PlanFile> file_;
  std::vector<plan::Target> targets_;
  std::vector<plan::FlakeOutput> outputs_;
  plan::Diagnostics problems_;
};

LoadedPlan load_plan_file(const LoadOptions& options);

/// Every evaluation in turn, in this thread. Returns what is wrong where one failed; the others are
/// added all the same. Throws Error{cancelled | deadline_exceeded}.
std::optional<std::string> evaluate_all(LoadedPlan& loaded, const LoadOptions& options,
                                        nix::NixStore& store, const nix::ProgressSink& sink,
                                        const Wait& wait);

/// A path that no derivation builds must be in the store already: a problem for each that is not.
plan::Diagnostics check_paths(const plan::Plan& plan, nix::NixStore& store, const Wait& wait);

/// Name of the user who runs this process; empty = not known. $USER, as deploy-rs, then the
/// system's.
std::string local_user();

} // namespace belay::runner
