// SPDX-License-Identifier: Apache-2.0
#include "runner/options_rules.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>
#include <array>

namespace belay::runner {

namespace {

/// What is settled when the artifact is made is what `plan` has a flag for, but for these.
bool may_change_a_reviewed_plan(const Flag& flag) {
  static constexpr std::array<std::string_view, 7> free{
      "--parallel",    "--grace",      "--lock-wait", "--deadline",
      "--skip-checks", "--debug-logs", "--help"};
  const bool of_plan =
      std::find(flag.verbs.begin(), flag.verbs.end(), Verb::plan) != flag.verbs.end();
  return of_plan && std::find(free.begin(), free.end(), flag.name) == free.end();
}

std::optional<std::string> check_artifact(const GivenFlags& given) {
  const auto refused = [](const std::string& what) {
    return what + " and --plan-artifact exclude each other: the artifact is what was reviewed, "
                  "targets and settings included; give it to belay plan --out";
  };
  if (given.targets) {
    return refused("TARGET arguments");
  }
  for (const Flag* flag : given.flags) {
    if (may_change_a_reviewed_plan(*flag)) {
      return refused("flag " + std::string(flag->name));
    }
  }
  return std::nullopt;
}

/// Targets are read otherwise beside --file, wherever on the line that stands.
std::optional<std::string> check_file(const OptionsDraft& draft) {
  if (draft.plan.out) {
    return "flag --file and --out exclude each other: an artifact holds a locked flake";
  }
  try {
    plan::selected_targets(draft.load.overrides, nullptr);
  } catch (const Error& error) {
    return one_line(error.message());
  }
  return std::nullopt;
}

} // namespace

std::optional<std::string> check_together(const GivenFlags& given, const OptionsDraft& draft) {
  if (draft.load.overrides.file && !draft.run.plan_artifact) {
    return check_file(draft);
  }
  return draft.run.plan_artifact ? check_artifact(given) : std::nullopt;
}

} // namespace belay::runner
