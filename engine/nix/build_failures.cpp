// SPDX-License-Identifier: Apache-2.0
#include "engine/nix/build_failures.h"

#include "engine/base/text.h"
#include "engine/nix/command.h"

#include <algorithm>
#include <set>

namespace belay::nix {

namespace {

using Failures = std::vector<std::optional<BuildFailure>>;

/// The message without the log lines that Nix repeats in it: there is more of them in our tail.
std::string without_log(const std::string& message) {
  std::vector<std::string> kept;
  for (auto& line : split(message, '\n')) {
    const auto text = trim(line);
    if (text.starts_with("last ") && text.ends_with("log lines:")) {
      break;
    }
    kept.push_back(std::move(line));
  }
  std::string text(trim(join(kept, "\n")));
  while (text.ends_with(';') || text.ends_with(',')) {
    text.pop_back();
  }
  return text;
}

std::string describe(const std::string& derivation, const std::string& message,
                     const LogFollower& log) {
  const std::string tail_of_log = log.log_tail(derivation);
  return tail_of_log.empty() ? message : without_log(message) + "\n" + tail_of_log;
}

void assign(Failures& failures, std::span<const StorePath> goals, const BuildFailure& failure,
            const std::set<std::string>& affected) {
  for (std::size_t at = 0; at < goals.size(); ++at) {
    if (!failures[at] && affected.contains(goals[at].string())) {
      failures[at] = failure;
    }
  }
}

bool all_known(const Failures& failures) {
  return std::all_of(failures.begin(), failures.end(),
                     [](const auto& failure) { return failure.has_value(); });
}

} // namespace

// The way up is taken, not each goal's way down (`-qR`), because failures are few and goals may be
// thousands.
std::set<std::string> dependents(ProcessRunner& runner, const std::string& derivation,
                                 const Wait& wait) {
  const auto lines = split_white_space(
      run_query(runner, nix_process({"nix-store", "--query", "--referrers-closure", derivation}),
                wait, "asking what needs " + derivation));
  return {lines.begin(), lines.end()};
}

std::string with_log(const LogFollower::Failure& failure, const LogFollower& log) {
  return describe(failure.derivation, failure.message, log);
}

Failures failures_of(ProcessRunner& runner, std::span<const StorePath> goals,
                     const LogFollower& log, const std::string& ended_by, const Wait& wait) {
  Failures failures(goals.size());
  std::set<std::string> seen;
  for (const auto& [derivation, message] : log.failures()) {
    if (all_known(failures)) {
      return failures;
    }
    if (!derivation.empty() && seen.insert(derivation).second) {
      assign(failures, goals, {derivation, describe(derivation, message, log)},
             dependents(runner, derivation, wait));
    }
  }
  for (std::size_t at = 0; at < goals.size(); ++at) {
    const std::string& goal = goals[at].string();
    if (!failures[at] && log.started(goal)) { // it was tried, and nothing was said of it alone
      const std::string what = "the build of " + goal + " did not end";
      failures[at] =
          BuildFailure{goal, describe(goal, ended_by.empty() ? what : what + ": " + ended_by, log)};
    }
  }
  return failures;
}

} // namespace belay::nix
