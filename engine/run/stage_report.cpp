// SPDX-License-Identifier: Apache-2.0
#include "engine/run/stage_report.h"

#include "engine/event/event_json.h"
#include "engine/run/announcement.h"

#include <algorithm>

namespace belay::run {

using event::Outcome;
using event::Stage;

NodeStages::NodeStages(StepContext& context, const plan::Node& node, StepKind kind)
    : context_(context), node_(node) {
  for (const auto& profile : node.profiles) {
    for (const auto stage : stages_of(profile)) {
      if (step_of(profile, stage) == kind) {
        open_.push_back({profile.name, stage});
      }
    }
  }
}

NodeStages::~NodeStages() {
  for (const auto& key : open_) {
    event::StageFinished data;
    data.outcome = Outcome::skipped;
    data.reason = event::reasons::not_reached;
    context_.tell({data, {node_.name, key.profile, key.stage}, event::Level::info, {}});
  }
}

void NodeStages::start(const plan::Profile& profile, Stage stage) {
  running_profile_ = profile.name;
  running_ = stage;
  if (begun_.emplace(Key{profile.name, stage}, BootClock::now()).second) {
    tell(event::StageStarted{}, event::Level::debug);
  }
}

void NodeStages::finish(const plan::Profile& profile, Stage stage, event::StageFinished data,
                        std::string message) {
  const Key key{profile.name, stage};
  if (const auto begun = begun_.find(key); begun != begun_.end()) {
    data.duration = BootClock::now() - begun->second;
    begun_.erase(begun);
  }
  if (running_ == stage && running_profile_ == profile.name) {
    running_.reset();
  }
  std::erase(open_, key);
  const auto level = data.outcome == Outcome::success || data.outcome == Outcome::skipped
                         ? event::Level::info
                         : event::Level::error;
  context_.tell({std::move(data), {node_.name, profile.name, stage}, level, std::move(message)});
}

bool NodeStages::fail_running(Outcome outcome, std::string reason, const std::string& message) {
  if (!running_) {
    return false;
  }
  const auto profile = std::find_if(node_.profiles.begin(), node_.profiles.end(),
                                    [&](const auto& p) { return p.name == running_profile_; });
  event::StageFinished data;
  data.outcome = outcome;
  data.reason = std::move(reason);
  finish(*profile, *running_, std::move(data), message);
  return true;
}

void NodeStages::tell(event::Payload payload, event::Level level, std::string message) {
  context_.tell(
      {std::move(payload), {node_.name, running_profile_, running_}, level, std::move(message)});
}

void NodeStages::log(const std::string& stream, std::string_view text, event::Level level) {
  for (auto& draft :
       event::split_log(stream, text, {node_.name, running_profile_, running_}, level)) {
    context_.tell(std::move(draft));
  }
}

Outcome outcome_of(const Error& error) {
  return error.kind() == ErrorKind::cancelled      ? Outcome::cancelled
         : error.kind() == ErrorKind::build_failed ? Outcome::failure
                                                   : Outcome::error;
}

} // namespace belay::run
