// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"
#include "engine/plan/plan.h"
#include "engine/run/step.h"
#include "engine/run/step_context.h"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

// Every stage that a plan announces ends exactly once, whatever happens: NodeStages is how a step
// keeps that promise. It knows the stages that the step covers; what the step does not reach is
// told as skipped when it goes.

namespace belay::run {

class NodeStages {
public:
  /// For a step of this kind on `node`.
  NodeStages(StepContext& context, const plan::Node& node, StepKind kind);
  /// Tells what was not reached.
  ~NodeStages();
  NodeStages(const NodeStages&) = delete;
  NodeStages& operator=(const NodeStages&) = delete;

  /// Several may have begun at once: the last one that was named here is the one that runs.
  void start(const plan::Profile& profile, event::Stage stage);
  /// `message` may be empty: then the event describes itself.
  void finish(const plan::Profile& profile, event::Stage stage, event::StageFinished data,
              std::string message = {});
  /// Nothing of it was begun after all: nothing is told.
  void forget() { open_.clear(); }
  /// Ends the stage that runs now, if one does, as `outcome`, and returns whether there was one.
  bool fail_running(event::Outcome outcome, std::string reason, const std::string& message);

  std::optional<event::Stage> running() const { return running_; }

  /// An event about the node, the profile and the stage that run now.
  void tell(event::Payload payload, event::Level level = event::Level::info,
            std::string message = {});
  /// An event about something else of the node.
  void tell(event::Draft draft) { context_.tell(std::move(draft)); }
  void log(const std::string& stream, std::string_view text,
           event::Level level = event::Level::info);

private:
  struct Key {
    std::string profile;
    event::Stage stage;
    auto operator<=>(const Key&) const = default;
  };
  StepContext& context_;
  const plan::Node& node_;
  std::vector<Key> open_; ///< announced and not finished
  std::string running_profile_;
  std::optional<event::Stage> running_;
  std::map<Key, Instant> begun_; ///< and not finished: when
};

/// How a caught error counts: cancelled, a failure where it was the build, else error.
event::Outcome outcome_of(const Error& error);

} // namespace belay::run
