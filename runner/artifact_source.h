// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runner/artifact.h"
#include "runner/options.h"
#include "runner/plan_source.h"

#include <map>
#include <string>
#include <vector>

// The plan from an artifact. What was planned is what is deployed: nothing is resolved again, and
// nothing is evaluated as long as each path is valid here, can be built from its derivation, or is
// had from a substituter. Where one is not, its flake is evaluated as it was locked, only to get
// the derivations back; a path that comes out differently is an error, never another deploy.

namespace belay::runner {

class ArtifactSource final : public PlanSource {
public:
  /// Reads `options.plan_artifact`. What is wrong with it is a problem, never an Error.
  explicit ArtifactSource(const RunOptions& options);

  std::string file_name() const override { return file_; }
  std::string environment() const override { return artifact_.plan.environment; }
  plan::Reports reports() const override { return reports_; }
  plan::Seconds deadline() const override { return artifact_.plan.policy.deadline; }
  std::vector<plan::Webhook> webhooks() const override { return artifact_.plan.webhooks; }
  std::set<std::string> sudo_password_variables() const override;
  std::vector<std::string> flakes() const override { return artifact_.plan.flakes; }
  std::vector<std::string> secrets() const override;
  std::optional<bool> was_checked() const override { return artifact_.checked; }
  Made make(nix::NixStore& store, const nix::ProgressSink& sink, const Wait& wait) override;
  const plan::Diagnostics& problems() const override { return problems_; }

private:
  void obey(const plan::Overrides& overrides);

  std::string file_;
  plan::Reports reports_;
  std::vector<std::string> nix_arguments_;
  Artifact artifact_;
  plan::Diagnostics problems_;
};

} // namespace belay::runner
