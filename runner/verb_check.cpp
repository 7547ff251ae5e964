// SPDX-License-Identifier: Apache-2.0
#include "runner/verb_check.h"

#include <iostream>
#include <string>

namespace belay::runner {
namespace {

std::string counted(std::size_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

} // namespace

event::ExitCode print_check(const MadePlan& made, std::ostream& err) {
  const event::ExitCode code = print_problems(made, err);
  if (code == event::ExitCode::ok) {
    std::size_t profiles = 0;
    std::size_t skipped = 0;
    for (const plan::Node& node : made.plan.nodes) {
      profiles += node.skip ? 0 : node.profiles.size();
      skipped += node.skip ? 1 : 0;
    }
    err << "good: " << counted(made.plan.nodes.size() - skipped, "node") << ", "
        << counted(profiles, "profile");
    err << (skipped == 0 ? "" : ", " + std::to_string(skipped) + " skipped by the plan");
    err << (made.problems.empty() ? "" : ", " + counted(made.problems.size(), "warning")) << '\n';
  }
  return code;
}

event::ExitCode check_plan(const CheckOptions& options) {
  return print_check(make_local_plan(options), std::cerr);
}

} // namespace belay::runner
