// SPDX-License-Identifier: Apache-2.0
#include "engine/run/step.h"

#include <array>
#include <utility>

namespace belay::run {

namespace {

constexpr std::array<std::string_view, 7> kind_names = {"evaluate", "survey",   "build", "copy",
                                                        "activate", "rollback", "finish"};

} // namespace

std::string_view name_of(StepKind kind) {
  return kind_names.at(static_cast<std::size_t>(kind));
}

NodeResult undone_result(NodeIndex node, ErrorKind error, std::string message) {
  NodeResult result;
  result.node = node;
  result.outcome =
      error == ErrorKind::cancelled ? event::Outcome::cancelled : event::Outcome::error;
  result.reason = reason_of(error);
  result.message = std::move(message);
  return result;
}

NodeResult lost_result(NodeIndex node, StepKind kind, ErrorKind error, std::string message) {
  auto result = undone_result(node, error, std::move(message));
  if (kind == StepKind::activate || kind == StepKind::rollback) {
    result.outcome = event::Outcome::error;
    result.reason = event::reasons::state_unknown;
    result.touched = true;
    result.rollback = event::Rollback::unknown;
  }
  return result;
}

} // namespace belay::run
