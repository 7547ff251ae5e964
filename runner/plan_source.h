// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/nix/nix_store.h"
#include "engine/plan/diagnostic.h"
#include "engine/plan/plan.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

// Where a plan comes from. A source is made at once, from files alone; what it says before any Nix
// was asked is enough to open the reports and to tell what is about to happen. Then, in a worker
// because it may take long, it makes the plan. It never stops at a problem, so that everything that
// is wrong is told at once. `run`, `plan` and `check` differ only in what they do with the result.

namespace belay::runner {

class PlanSource {
public:
  virtual ~PlanSource() = default;

  // What is known before make(); command line over files.
  virtual std::string file_name() const = 0; ///< of the plan file; empty = none
  virtual std::string environment() const = 0;
  virtual plan::Reports reports() const = 0;
  virtual plan::Seconds deadline() const = 0; ///< of the whole run; 0: none
  virtual std::vector<plan::Webhook> webhooks() const = 0;
  virtual std::set<std::string> sudo_password_variables() const = 0;
  virtual std::vector<std::string> flakes() const = 0; ///< each once, in the order of the targets

  /// What is secret in all that it was given: the credentials in URLs.
  virtual std::vector<std::string> secrets() const = 0;

  /// Whose checks are to be made before a deploy; none of a plan that was settled before.
  virtual std::vector<nix::EvaluateRequest> checks() const { return {}; }
  /// Whether they were made when the plan was settled; nullopt where it is settled now.
  virtual std::optional<bool> was_checked() const { return std::nullopt; }

  /// What make() gives. `evaluation_error` says why there is no plan though nothing may be wrong
  /// with what the user wrote.
  struct Made {
    plan::Plan plan; ///< of use only without evaluation_error and with no error in problems()
    std::optional<std::string> evaluation_error;
  };
  /// Once, in any thread. Throws Error{cancelled | deadline_exceeded | system}.
  virtual Made make(nix::NixStore& store, const nix::ProgressSink& sink, const Wait& wait) = 0;

  /// All that is wrong, in the order in which it was found; make() adds to it.
  virtual const plan::Diagnostics& problems() const = 0;
};

} // namespace belay::runner
