// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/run/step.h"

#include <optional>

// Where steps run. The real one has threads; the simulated one has a seed and a clock of its own.

namespace belay::run {

/// How a running step is told that it shall end.
enum class Stop {
  work,    ///< stop what touches no profile: evaluation, build, copy. An activation goes on.
  abandon, ///< an activation, too, is left to its target, which is told so
};

class Executor {
public:
  virtual ~Executor() = default;
  /// Starts at once; never blocks on the step.
  virtual void start(const Step& step) = 0;
  /// Tells every running step. Idempotent; `abandon` includes `work`.
  virtual void stop(Stop how) = 0;
  /// The next thing that happened, in the order in which it happened; Timer once `wake_at` is there
  /// (never without one). The loop's only wait.
  virtual Occurrence wait(std::optional<Instant> wake_at) = 0;
};

} // namespace belay::run
