// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/nix/nix_store.h"
#include "engine/plan/resolve.h"
#include "runner/options.h"
#include "runner/plan_source.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

// The plan from command line, plan file and flakes, in steps: read the plan file; say what has to
// be evaluated; take the evaluations; join all of it. The flake is evaluated for the sake of its
// names even where the plan file has mistakes. Without every flake nothing is joined: a node of the
// one that is missing would be told as unknown.

namespace belay::runner {

class LoadedPlan final : public PlanSource {
public:
  /// Reads `--plan`, else ./belay.yaml where there is one. Bad content is a problem, never an
  /// Error.
  explicit LoadedPlan(const LoadOptions& options);

  std::string file_name() const override;
  std::string environment() const override;
  plan::Reports reports() const override;
  plan::Seconds deadline() const override;
  std::vector<plan::Webhook> webhooks() const override;
  std::set<std::string> sudo_password_variables() const override;
  std::vector<std::string> flakes() const override;
  std::vector<std::string> secrets() const override { return secrets_; }
  std::vector<nix::EvaluateRequest> checks() const override { return evaluations(); }
  Made make(nix::NixStore& store, const nix::ProgressSink& sink, const Wait& wait) override;

  /// One request a flake. None where the plan file could not tell which flakes are meant.
  std::vector<nix::EvaluateRequest> evaluations() const;
  /// The JSON that NixStore::evaluate gave for one of them. Throws Error{evaluation_failed}.
  void add_evaluation(const std::string& flake, const std::string& json);

  /// Joins all that was added. Of use only if problems() then holds no error.
  plan::Plan resolve();

  const plan::Diagnostics& problems() const override { return problems_; }

private:
  const plan::PlanFile* file() const { return file_ ? &*file_ : nullptr; }
  void choose_targets();
  void find_secrets(const std::optional<std::string>& plan_file);

  plan::Overrides overrides_;
  std::vector<std::string> nix_arguments_;
  std::optional<plan::PlanFile> file_;
  std::vector<plan::Target> targets_;
  std::vector<plan::FlakeOutput> outputs_;
  std::vector<std::string> secrets_;
  plan::Diagnostics problems_;
};

/// Every evaluation in turn, in this thread. Returns what is wrong where one failed; the others are
/// added all the same. Throws Error{cancelled | deadline_exceeded}.
std::optional<std::string> evaluate_all(LoadedPlan& loaded, nix::NixStore& store,
                                        const nix::ProgressSink& sink, const Wait& wait);

/// A path that no derivation builds must be in the store already: a problem for each that is not.
plan::Diagnostics check_paths(const plan::Plan& plan, nix::NixStore& store, const Wait& wait);

/// NIX ARGS are for the runner's Nix: a warning where targets build, too. nullopt = none is due.
std::optional<plan::Diagnostic>
warn_of_remote_builds(const plan::Plan& plan, const std::vector<std::string>& nix_arguments);

/// Name of the user who runs this process; empty = not known. $USER, as deploy-rs, then the
/// system's.
std::string local_user();

} // namespace belay::runner
