// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "reporters/junit_model.h"

namespace belay::reporters {

/// "belay.ENVIRONMENT.NODE", without dots inside the two.
std::string junit_class_name(const event::RunState& state, const std::string& node);

/// What every suite says of the run: environment, rev, run id, CI page.
std::vector<std::pair<std::string, std::string>> run_properties(const event::RunState& state);

/// The suite "(plan)": what happened before there were nodes.
JunitSuite plan_suite(const event::RunState& state);

/// A run that ended badly and has no red case yet gets one: the report never contradicts the exit
/// code.
void add_run_case_if_needed(const event::RunState& state, std::vector<JunitSuite>& suites);

} // namespace belay::reporters
