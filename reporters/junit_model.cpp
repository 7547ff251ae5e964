// SPDX-License-Identifier: Apache-2.0
#include "reporters/junit_model.h"

#include "engine/base/text.h"
#include "reporters/junit_plan.h"
#include "reporters/story.h"

#include <algorithm>
#include <set>

namespace belay::reporters {

namespace {

using event::NodeState;
using event::Outcome;
using event::ProfileState;
using event::Rollback;
using event::RunState;
using event::Stage;
using event::StageState;
using Status = JunitCase::Status;

/// "skipped: another node failed first (fail-fast)"
std::string skipped_because(const std::string& reason) {
  const std::string sentence = sentence_of(reason);
  return "skipped: " + (sentence == reason ? reason : sentence + " (" + reason + ")");
}

std::string cancelled_because(const StageState& stage) {
  const std::string text = message_of(stage);
  return text == stage.message ? text : "cancelled " + text;
}

double seconds_of(Duration duration) {
  return static_cast<double>(duration.count()) / 1000.0;
}

/// Jenkins splits a class name at its last dot.
std::string without_dots(std::string text) {
  std::replace(text.begin(), text.end(), '.', '_');
  return text;
}

/// The cases of one node.
class NodeCases {
public:
  NodeCases(const RunState& state, const NodeState& node, std::string class_name)
      : state_(state), node_(node), class_name_(std::move(class_name)) {}

  std::vector<JunitCase> take() {
    for (const ProfileState& profile : node_.profiles)
      add_profile(profile);
    add_end_if_needed();
    return std::move(cases_);
  }

private:
  JunitCase named(std::string name) const {
    JunitCase result;
    result.class_name = class_name_;
    result.name = std::move(name);
    result.file = state_.started ? state_.started->plan_path : "";
    return result;
  }

  static void set(JunitCase& result, Status status, std::string_view type, std::string message) {
    result.status = status;
    result.type = type.empty() ? "internal" : type;
    result.message = message.empty() ? result.type : std::move(message);
  }

  void add_profile(const ProfileState& profile) {
    for (const StageState& stage : profile.stages)
      if (stage.stage != Stage::rollback)
        cases_.push_back(case_of(profile, stage));
    mark_rolled_back(profile);
    if (rollback_went_wrong(profile))
      cases_.push_back(rollback_case(profile));
  }

  std::string name_of_case(const ProfileState& profile, Stage stage) const {
    const std::string name(name_of(stage));
    return profile.name.empty() ? name : profile.name + ": " + name;
  }

  JunitCase case_of(const ProfileState& profile, const StageState& stage) {
    JunitCase result = named(name_of_case(profile, stage.stage));
    result.started_at = stage.started_at;
    for (const event::RetryState& retry : stage.retries)
      result.attempts.push_back({retry.retry.reason, retry.message});
    if (stage.finished)
      fill_finished(result, profile, stage, *stage.finished);
    else
      fill_unfinished(result, stage);
    return result;
  }

  void fill_finished(JunitCase& result, const ProfileState& profile, const StageState& stage,
                     const event::StageFinished& finished) const {
    result.seconds = seconds_of(finished.duration);
    if (finished.changed)
      result.properties.emplace_back("changed", *finished.changed ? "true" : "false");
    switch (finished.outcome) {
    case Outcome::success:
      return;
    case Outcome::skipped:
      return set(result, Status::skipped, finished.reason, skipped_because(finished.reason));
    case Outcome::cancelled:
      set(result, stage.started ? Status::error : Status::skipped,
          finished.reason.empty() ? "cancelled" : finished.reason, cancelled_because(stage));
      break;
    case Outcome::failure:
    case Outcome::error:
      set(result, finished.outcome == Outcome::failure ? Status::failure : Status::error,
          finished.reason, stage.message);
      break;
    }
    if (!node_.finished || node_.finished->decides_by.empty())
      result.body = "";
    else
      result.body = "the target decides by " + node_.finished->decides_by;
    result.log = log_of(node_, profile);
    if (stage.stage == Stage::build && result.log.empty())
      result.log = state_.build_log;
  }

  /// Nobody said how the stage ended.
  void fill_unfinished(JunitCase& result, const StageState& stage) {
    const std::string when =
        state_.is_open() ? "when this report was written" : "when the run ended";
    if (node_.finished && node_.finished->outcome == Outcome::skipped)
      return set(result, Status::skipped, node_.finished->reason,
                 skipped_because(node_.finished->reason));
    if (stage.started)
      return set(result, Status::error, event::reasons::state_unknown, "not finished " + when);
    const bool lost = node_.finished ? node_.finished->outcome == Outcome::success
                                     : !state_.is_open() && !any_red();
    if (lost)
      return set(result, Status::error, event::reasons::state_unknown,
                 "nobody said how this ended");
    set(result, Status::skipped, event::reasons::not_reached, "not reached " + when);
  }

  /// The stage that caused the rollback; where another node did, the last one, which was green.
  void mark_rolled_back(const ProfileState& profile) {
    if (!profile.rolled_back || !profile.rolled_back->verified)
      return;
    const StageState* cause = broken_stage(profile);
    const std::string name =
        cause != nullptr ? name_of_case(profile, cause->stage) : last_case_of(profile);
    for (JunitCase& candidate : cases_) {
      if (candidate.name != name)
        continue;
      set(candidate, Status::failure, event::reasons::rolled_back, trouble_of(node_, profile));
      candidate.body = rollback_sentence(profile);
      if (candidate.log.empty() && cause != nullptr)
        candidate.log = log_of(node_, profile);
    }
  }

  std::string last_case_of(const ProfileState& profile) {
    for (auto stage = profile.stages.rbegin(); stage != profile.stages.rend(); ++stage)
      if (stage->stage != Stage::rollback)
        return name_of_case(profile, stage->stage);
    cases_.push_back(named(profile.name + ": rolled back"));
    return cases_.back().name;
  }

  bool rollback_went_wrong(const ProfileState& profile) const {
    const StageState* rollback = stage_of(profile, Stage::rollback);
    if (rollback != nullptr && rollback->finished &&
        rollback->finished->outcome != Outcome::success)
      return true;
    if (profile.rolled_back)
      return !profile.rolled_back->verified;
    const bool wrong = node_.finished && (node_.finished->rollback == Rollback::failed ||
                                          node_.finished->rollback == Rollback::unknown);
    const StageState* activate = stage_of(profile, Stage::activate);
    return wrong && activate != nullptr && activate->started;
  }

  JunitCase rollback_case(const ProfileState& profile) const {
    JunitCase result = named(name_of_case(profile, Stage::rollback));
    const StageState* rollback = stage_of(profile, Stage::rollback);
    std::string message = rollback != nullptr ? rollback->message : "";
    if (message.empty())
      message = node_.finished && node_.finished->rollback == Rollback::unknown
                    ? "nobody knows whether it was rolled back"
                    : "the rollback failed";
    set(result, Status::error, event::reasons::rollback_failed, message);
    result.body = node_.message;
    result.log = rollback != nullptr ? rollback->log : "";
    return result;
  }

  bool any_red() const {
    return std::any_of(cases_.begin(), cases_.end(), [](const JunitCase& c) {
      return c.status == Status::failure || c.status == Status::error;
    });
  }

  bool all_passed() const {
    return !cases_.empty() &&
           std::all_of(cases_.begin(), cases_.end(),
                       [](const JunitCase& c) { return c.status == Status::passed; });
  }

  /// What no stage tells is told by a case of its own: a node that failed, or that may yet be taken
  /// back, is never all green, and a suite is never empty (Jenkins drops those).
  void add_end_if_needed() {
    const bool bad = node_.finished && (node_.finished->outcome == Outcome::failure ||
                                        node_.finished->outcome == Outcome::error);
    const bool silent = !node_.finished && (!state_.is_open() || all_passed());
    if (!cases_.empty() && (any_red() || !(bad || silent)))
      return;
    JunitCase end = named("node");
    if (silent)
      set(end, Status::error, event::reasons::state_unknown,
          state_.is_open() ? "not finished when this report was written"
                           : "nobody said how this node ended");
    else if (!node_.finished)
      set(end, Status::skipped, event::reasons::not_reached, "not finished");
    else if (bad)
      set(end, node_.finished->outcome == Outcome::failure ? Status::failure : Status::error,
          node_.finished->reason, node_.message);
    else if (node_.finished->outcome != Outcome::success)
      set(end, Status::skipped, node_.finished->reason, skipped_because(node_.finished->reason));
    end.log = node_.log;
    cases_.push_back(std::move(end));
  }

  const RunState& state_;
  const NodeState& node_;
  std::string class_name_;
  std::vector<JunitCase> cases_;
};

void add_generations(JunitSuite& suite, const ProfileState& profile) {
  const auto add = [&](const char* what, const std::optional<int>& number) {
    if (number)
      suite.properties.emplace_back(profile.name + "." + what, std::to_string(*number));
  };
  if (const StageState* lock = stage_of(profile, Stage::lock); lock != nullptr && lock->finished)
    add("generation_before", lock->finished->generation_before);
  if (const auto& earlier = profile.earlier)
    suite.properties.emplace_back(profile.name + ".earlier_deploy",
                                  earlier->state + ", run " + earlier->earlier_run);
  if (profile.rolled_back)
    return add("generation_after",
               profile.rolled_back->verified ? profile.rolled_back->to : std::nullopt);
  if (const StageState* activate = stage_of(profile, Stage::activate);
      activate != nullptr && activate->finished)
    add("generation_after", activate->finished->generation_after);
}

JunitSuite node_suite(const RunState& state, const NodeState& node, std::string class_name) {
  JunitSuite suite;
  suite.name = node.id;
  suite.host = node.host;
  suite.started_at = node.started_at ? *node.started_at : state.started_at;
  suite.properties = run_properties(state);
  for (const ProfileState& profile : node.profiles)
    add_generations(suite, profile);
  suite.cases = NodeCases(state, node, std::move(class_name)).take();
  return suite;
}

/// Readers take the first of two cases with one (classname, name) and drop the other.
class UniqueNames {
public:
  std::string take(const std::string& wanted) {
    std::string name = wanted;
    for (int number = 2; !taken_.insert(clean_text(name)).second; ++number)
      name = wanted + "_" + std::to_string(number);
    return name;
  }

private:
  std::set<std::string> taken_;
};

} // namespace

std::string junit_class_name(const RunState& state, const std::string& node) {
  const std::string environment = state.started ? state.started->environment : "";
  return "belay." + (environment.empty() ? "" : without_dots(environment) + ".") +
         without_dots(node);
}

int JunitSuite::count(JunitCase::Status status) const {
  return static_cast<int>(std::count_if(cases.begin(), cases.end(),
                                        [&](const JunitCase& c) { return c.status == status; }));
}

double JunitSuite::seconds() const {
  double sum = 0;
  for (const JunitCase& c : cases)
    sum += c.seconds;
  return sum;
}

std::vector<JunitSuite> junit_suites(const RunState& state) {
  UniqueNames class_names;
  std::vector<JunitSuite> suites;
  suites.push_back(plan_suite(state));
  class_names.take(junit_class_name(state, suites.front().name));
  for (const NodeState& node : state.nodes) {
    JunitSuite suite = node_suite(state, node, class_names.take(junit_class_name(state, node.id)));
    UniqueNames case_names;
    for (JunitCase& c : suite.cases)
      c.name = case_names.take(c.name);
    suites.push_back(std::move(suite));
  }
  add_run_case_if_needed(state, suites);
  return suites;
}

} // namespace belay::reporters
