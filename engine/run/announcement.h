// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/event.h"
#include "engine/plan/plan.h"
#include "engine/run/step.h"

#include <vector>

// What a run promises before it begins: each stage of each profile that it announces here gets
// exactly one stage.finished, or its node ends as skipped. Steps keep the promise for the stages
// that they cover, the scheduler for those whose step never started. Both ask these functions, so
// that they cannot promise different things.

namespace belay::run {

/// The stages of a profile, in order: build, copy, lock, activate, [confirm,] verify. There is no
/// confirm without magic rollback.
std::vector<event::Stage> stages_of(const plan::Profile& profile);

/// The step that covers a stage of a profile, and so tells how it ended. What a target builds is
/// built by its Copy, over the connection that is opened there.
StepKind step_of(const plan::Profile& profile, event::Stage stage);

/// Whether the target builds something of its own.
bool builds_there(const plan::Node& node);

/// plan.resolved. A profile that could not be evaluated is announced with `evaluate` alone.
event::PlanResolved announce(const plan::Plan& plan);

} // namespace belay::run
