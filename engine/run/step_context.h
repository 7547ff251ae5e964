// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/cancel.h"
#include "engine/event/event.h"
#include "engine/run/step.h"

#include <functional>
#include <utility>

// What a running step has of the world around it: somewhere to tell events, and two tokens that say
// when to end. It lives as long as the step runs and is used by that step's thread.

namespace belay::run {

class StepContext {
public:
  StepContext(std::function<void(event::Draft)> tell, CancelToken work, CancelToken abandon)
      : tell_(std::move(tell)), work_(std::move(work)), abandon_(std::move(abandon)) {}

  void tell(event::Draft draft) const { tell_(std::move(draft)); }
  /// Fires at the first signal: stop what touches no profile.
  const CancelToken& work() const { return work_; }
  /// Fires when the run's patience ends: leave an activation to its target and tell it so.
  const CancelToken& abandon() const { return abandon_; }

private:
  std::function<void(event::Draft)> tell_;
  CancelToken work_;
  CancelToken abandon_;
};

/// Does one step. Called by several threads at once, never twice at once for the same node.
using StepFunction = std::function<StepResult(const Step&, StepContext&)>;

} // namespace belay::run
