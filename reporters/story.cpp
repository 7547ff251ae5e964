// SPDX-License-Identifier: Apache-2.0
#include "reporters/story.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>
#include <vector>

namespace belay::reporters {

namespace {

using event::NodeState;
using event::Outcome;
using event::ProfileState;
using event::Stage;
using event::StageState;

constexpr std::string_view arrow = " \xe2\x86\x92 ";

bool has_outcome(const StageState& stage, Outcome outcome) {
  return stage.finished && stage.finished->outcome == outcome;
}

bool all_stages(const ProfileState& profile, const auto& matches) {
  return std::all_of(profile.stages.begin(), profile.stages.end(), matches);
}

const StageState* first_with(const ProfileState& profile, Outcome outcome) {
  const auto found =
      std::find_if(profile.stages.begin(), profile.stages.end(),
                   [&](const StageState& stage) { return has_outcome(stage, outcome); });
  return found == profile.stages.end() ? nullptr : &*found;
}

ProfileEnd end_of_rollback(const ProfileState& profile) {
  if (profile.rolled_back)
    return profile.rolled_back->verified ? ProfileEnd::rolled_back : ProfileEnd::rollback_failed;
  return ProfileEnd::open;
}

ProfileEnd end_of_reason(std::string_view reason, Outcome outcome) {
  if (reason == event::reasons::state_unknown)
    return ProfileEnd::state_unknown;
  if (reason == event::reasons::rollback_failed)
    return ProfileEnd::rollback_failed;
  if (reason == event::reasons::left_to_target)
    return ProfileEnd::left_to_target;
  if (reason == reason_of(ErrorKind::unreachable))
    return ProfileEnd::unreachable;
  return outcome == Outcome::failure ? ProfileEnd::failed : ProfileEnd::error;
}

bool was_deployed(const ProfileState& profile) {
  return !profile.stages.empty() && all_stages(profile, [](const StageState& stage) {
    return stage.stage == Stage::rollback || has_outcome(stage, Outcome::success);
  });
}

/// Asked for a profile that did not break itself: it was not reached because another one did.
bool broke_elsewhere(const NodeState& node) {
  return std::any_of(node.profiles.begin(), node.profiles.end(),
                     [](const ProfileState& p) { return broken_stage(p) != nullptr; });
}

ProfileEnd end_of_node(const NodeState& node) {
  if (!node.finished)
    return ProfileEnd::open;
  switch (node.finished->outcome) {
  case Outcome::success: // and yet not all of its stages: it is not for us to call it good
    return ProfileEnd::open;
  case Outcome::skipped:
    return ProfileEnd::skipped;
  case Outcome::cancelled:
    return node.finished->reason == event::reasons::left_to_target && !broke_elsewhere(node)
               ? ProfileEnd::left_to_target
               : ProfileEnd::cancelled;
  case Outcome::failure:
  case Outcome::error:
    return broke_elsewhere(node) ? ProfileEnd::skipped
                                 : end_of_reason(node.finished->reason, node.finished->outcome);
  }
  return ProfileEnd::open;
}

std::string without_subject(const std::string& message, const std::string& node,
                            const std::string& profile) {
  std::string_view text = message;
  for (const std::string& prefix : {node + "/" + profile, node}) {
    if (prefix.empty() || !text.starts_with(prefix))
      continue;
    const std::string_view rest = text.substr(prefix.size());
    if (rest.starts_with(": "))
      return std::string(rest.substr(2));
    if (const auto end = rest.find("): "); rest.starts_with(" (") && end != std::string::npos)
      return std::string(rest.substr(2, end - 2)) + std::string(rest.substr(end + 1));
    if (rest.starts_with(' '))
      return std::string(rest.substr(1));
  }
  return message;
}

/// Of a node whose stages all went well as far as they went.
std::string message_of(const NodeState& node, const ProfileState& profile) {
  const auto open = std::find_if(profile.stages.begin(), profile.stages.end(),
                                 [](const auto& s) { return !has_outcome(s, Outcome::success); });
  const bool plain = node.finished->outcome == Outcome::cancelled &&
                     node.finished->reason == reason_of(ErrorKind::cancelled);
  return plain && open != profile.stages.end()
             ? "before " + std::string(event::name_of(open->stage))
             : node.message;
}

std::string number_or_none(const std::optional<int>& number) {
  return number ? std::to_string(*number) : "none";
}

} // namespace

std::string_view label_of(ProfileEnd end) {
  switch (end) {
  case ProfileEnd::open:
    return "NO END";
  case ProfileEnd::deployed:
    return "deployed";
  case ProfileEnd::for_next_boot:
    return "activated for next boot";
  case ProfileEnd::dry_run:
    return "dry run";
  case ProfileEnd::unchanged:
    return "unchanged";
  case ProfileEnd::rolled_back:
    return "ROLLED BACK";
  case ProfileEnd::rollback_failed:
    return "ROLLBACK FAILED";
  case ProfileEnd::state_unknown:
    return "STATE UNKNOWN";
  case ProfileEnd::unreachable:
    return "UNREACHABLE";
  case ProfileEnd::failed:
    return "FAILED";
  case ProfileEnd::error:
    return "ERROR";
  case ProfileEnd::left_to_target:
    return "LEFT TO TARGET";
  case ProfileEnd::cancelled:
    return "cancelled";
  case ProfileEnd::skipped:
    return "skipped";
  }
  return "NO END";
}

bool is_good(ProfileEnd end) {
  return end == ProfileEnd::deployed || end == ProfileEnd::for_next_boot ||
         end == ProfileEnd::dry_run || end == ProfileEnd::unchanged;
}

bool is_bad(ProfileEnd end) {
  return !is_good(end) && end != ProfileEnd::skipped && end != ProfileEnd::cancelled;
}

const StageState* broken_stage(const ProfileState& profile) {
  for (const Outcome outcome : {Outcome::failure, Outcome::error})
    if (const StageState* stage = first_with(profile, outcome))
      return stage;
  return first_with(profile, Outcome::cancelled);
}

const StageState* stage_of(const ProfileState& profile, Stage stage) {
  const auto found = std::find_if(profile.stages.begin(), profile.stages.end(),
                                  [&](const StageState& s) { return s.stage == stage; });
  return found == profile.stages.end() ? nullptr : &*found;
}

ProfileEnd end_of(const NodeState& node, const ProfileState& profile) {
  const StageState* broken = broken_stage(profile);
  if (broken != nullptr) {
    const event::StageFinished& finished = *broken->finished;
    const ProfileEnd end = end_of_reason(finished.reason, finished.outcome);
    if (end == ProfileEnd::state_unknown || end == ProfileEnd::rollback_failed)
      return end;
  }
  if (profile.rolled_back)
    return end_of_rollback(profile);
  if (broken != nullptr)
    return broken->finished->outcome == Outcome::cancelled &&
                   broken->finished->reason != event::reasons::left_to_target
               ? ProfileEnd::cancelled
               : end_of_reason(broken->finished->reason, broken->finished->outcome);
  if (!was_deployed(profile))
    return end_of_node(node);
  if (profile.mode != event::Mode::activate)
    return profile.mode == event::Mode::boot ? ProfileEnd::for_next_boot : ProfileEnd::dry_run;
  const StageState* activate = stage_of(profile, Stage::activate);
  return activate != nullptr && activate->finished->changed == false ? ProfileEnd::unchanged
                                                                     : ProfileEnd::deployed;
}

ProfileEnd final_end_of(const NodeState& node, const ProfileState& profile) {
  const ProfileEnd end = end_of(node, profile);
  return is_good(end) && !node.finished ? ProfileEnd::open : end;
}

std::string sentence_of(std::string_view reason) {
  if (reason == event::reasons::fail_fast)
    return "another node failed first";
  if (reason == event::reasons::not_reached)
    return "what comes before did not succeed";
  if (reason == event::reasons::skipped_by_plan)
    return "the plan says so";
  if (reason == reason_of(ErrorKind::cancelled))
    return "the run was cancelled before";
  return std::string(reason);
}

std::string message_of(const StageState& stage) {
  const bool plain = stage.finished && stage.finished->outcome == Outcome::cancelled &&
                     stage.finished->reason == reason_of(ErrorKind::cancelled) &&
                     stage.stage < Stage::activate;
  return plain ? "during " + std::string(event::name_of(stage.stage)) : stage.message;
}

std::string trouble_of(const NodeState& node, const ProfileState& profile) {
  const StageState* broken = broken_stage(profile);
  const std::string message = one_line(broken != nullptr ? message_of(*broken)
                                       : node.finished   ? message_of(node, profile)
                                                         : "");
  std::string text = without_subject(message, one_line(node.id), one_line(profile.name));
  if (text.empty() && profile.rolled_back)
    text = profile.rolled_back->trigger == event::RollbackTrigger::profile_failed
               ? "another profile of the node failed"
               : "another node failed";
  return text;
}

std::string_view log_of(const NodeState& node, const ProfileState& profile) {
  const StageState* broken = broken_stage(profile);
  if (broken != nullptr && !broken->log.empty())
    return broken->log;
  const StageState* activate = stage_of(profile, Stage::activate);
  if (activate != nullptr && !activate->log.empty())
    return activate->log;
  return node.log;
}

std::string generations_of(const ProfileState& profile) {
  const StageState* lock = stage_of(profile, Stage::lock);
  const StageState* activate = stage_of(profile, Stage::activate);
  std::vector<std::string> steps;
  const auto add = [&](const std::optional<int>& number) {
    const std::string text = number_or_none(number);
    if (steps.empty() || steps.back() != text)
      steps.push_back(text);
  };
  if (lock != nullptr && has_outcome(*lock, Outcome::success))
    add(lock->finished->generation_before);
  if (activate != nullptr && activate->finished && activate->finished->generation_after)
    add(activate->finished->generation_after);
  if (profile.rolled_back) {
    add(profile.rolled_back->from);
    if (profile.rolled_back->verified)
      add(profile.rolled_back->to);
  }
  const bool known = std::any_of(steps.begin(), steps.end(),
                                 [](const std::string& step) { return step != "none"; });
  return known ? "gen " + join(steps, arrow) : "";
}

std::string rollback_sentence(const ProfileState& profile) {
  if (!profile.rolled_back)
    return "";
  const event::NodeRolledBack& back = *profile.rolled_back;
  const std::string what = back.to ? "generation " + std::to_string(*back.to) + " is back"
                                   : "there was no generation before, the new one is gone";
  return back.verified ? what + " and was verified"
                       : "the rollback could not be verified" +
                             (back.to ? ": generation " + std::to_string(*back.to) + " should run"
                                      : std::string());
}

} // namespace belay::reporters
