// SPDX-License-Identifier: Apache-2.0
#include "engine/run/build_report.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

namespace belay::run {

event::BuildFinished build_finished(const nix::BuildGoal& goal, const nix::BuildResult& result) {
  event::BuildFinished done;
  done.derivation = goal.derivation.string();
  done.outputs = {goal.output.string()};
  done.outcome = result.valid ? event::Outcome::success : event::Outcome::failure;
  done.cached = result.cached;
  done.duration = result.duration;
  done.reason = result.valid ? "" : std::string(reason_of(ErrorKind::build_failed));
  return done;
}

std::string first_line_of(const std::string& error) {
  const auto text = trim(error);
  return text.empty() ? "could not be built" : one_line(text.substr(0, text.find('\n')));
}

} // namespace belay::run
