// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/nix/nix_store.h"
#include "engine/plan/plan.h"
#include "engine/run/agent_finder.h"
#include "engine/run/node_link.h"
#include "engine/run/step_context.h"

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

// Does the steps: one function a kind. Between the steps of a node it keeps the node's connection
// and pings it, so that the target goes on holding its lock and keeps what is confirmed revocable.

namespace belay::run {

struct StepRunnerOptions {
  std::string run;                        ///< id
  std::string holder_url;                 ///< CI job; may be empty
  std::vector<std::string> nix_arguments; ///< after `--`: for the build
  std::optional<std::string> result_folder =
      {};                        ///< where links keep what was built; see result_link
  bool check_signatures = false; ///< `--checksigs`
  Patience patience = {};
  Passwords passwords = {}; ///< every one that the plan's profiles name
};

class StepRunner {
public:
  /// All must outlive it. Starts the pinging threads; throws Error{system} where there are none.
  StepRunner(const plan::Plan& plan, ssh::Transport& transport, nix::NixStore& store,
             AgentFinder& agents, StepRunnerOptions options);
  /// Closes every connection; what is open on a target is left to it.
  ~StepRunner();
  StepRunner(const StepRunner&) = delete;
  StepRunner& operator=(const StepRunner&) = delete;

  /// Any thread, never twice at once for the same node. Never throws Error.
  StepResult run(const Step& step, StepContext& context);

private:
  NodeResult run_node(const Step& step, StepContext& context);
  void ping_links(std::size_t first);
  void stop_pinging();

  const plan::Plan& plan_;
  nix::NixStore& store_;
  AgentFinder& agents_;
  StepRunnerOptions options_;
  Contact contact_;
  std::vector<std::unique_ptr<NodeLink>> links_; ///< by NodeIndex

  CancelSource closing_;
  std::vector<std::thread> pingers_; ///< several: a dead link must not keep the others waiting
};

} // namespace belay::run
