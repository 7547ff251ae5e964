// SPDX-License-Identifier: Apache-2.0
#include "engine/event/event.h"

#include <algorithm>
#include <array>
#include <utility>

namespace belay::event {

namespace {

/// Enum values with their names, in the order of declaration.
template <typename Value, std::size_t size> struct NameTable {
  std::array<std::pair<Value, std::string_view>, size> rows;

  std::string_view name(Value value) const {
    for (const auto& [candidate, text] : rows)
      if (candidate == value)
        return text;
    return "unknown";
  }
  std::optional<Value> value(std::string_view name) const {
    for (const auto& [candidate, text] : rows)
      if (text == name)
        return candidate;
    return std::nullopt;
  }
};

constexpr NameTable<Outcome, 5> outcomes{{{{Outcome::success, "success"},
                                           {Outcome::failure, "failure"},
                                           {Outcome::error, "error"},
                                           {Outcome::cancelled, "cancelled"},
                                           {Outcome::skipped, "skipped"}}}};

constexpr NameTable<Level, 4> levels{{{{Level::debug, "debug"},
                                       {Level::info, "info"},
                                       {Level::warn, "warn"},
                                       {Level::error, "error"}}}};

constexpr NameTable<Stage, 10> stages{{{{Stage::evaluate, "evaluate"},
                                        {Stage::check, "check"},
                                        {Stage::build, "build"},
                                        {Stage::sign, "sign"},
                                        {Stage::copy, "copy"},
                                        {Stage::lock, "lock"},
                                        {Stage::activate, "activate"},
                                        {Stage::confirm, "confirm"},
                                        {Stage::verify, "verify"},
                                        {Stage::rollback, "rollback"}}}};

constexpr NameTable<Mode, 3> modes{
    {{{Mode::activate, "activate"}, {Mode::dry_activate, "dry-activate"}, {Mode::boot, "boot"}}}};

constexpr NameTable<Rollback, 4> rollbacks{{{{Rollback::none, "none"},
                                             {Rollback::succeeded, "succeeded"},
                                             {Rollback::failed, "failed"},
                                             {Rollback::unknown, "unknown"}}}};

constexpr NameTable<RollbackTrigger, 4> triggers{
    {{{RollbackTrigger::confirm_timeout, "confirm-timeout"},
      {RollbackTrigger::activation, "activation"},
      {RollbackTrigger::profile_failed, "profile-failed"},
      {RollbackTrigger::run_failed, "run-failed"}}}};

constexpr std::array<std::string_view, std::variant_size_v<Payload>> types{"run.started",
                                                                           "plan.resolved",
                                                                           "diagnostic",
                                                                           "evaluate.finished",
                                                                           "check.finished",
                                                                           "build.finished",
                                                                           "node.queued",
                                                                           "node.started",
                                                                           "stage.started",
                                                                           "stage.progress",
                                                                           "stage.finished",
                                                                           "stage.retrying",
                                                                           "lock.waiting",
                                                                           "earlier.resolved",
                                                                           "node.rolled_back",
                                                                           "node.finished",
                                                                           "log",
                                                                           "heartbeat",
                                                                           "cancel.requested",
                                                                           "webhook.delivered",
                                                                           "webhook.failed",
                                                                           "run.finished"};

} // namespace

std::string_view name_of(Outcome outcome) {
  return outcomes.name(outcome);
}
std::string_view name_of(Level level) {
  return levels.name(level);
}
std::string_view name_of(Stage stage) {
  return stages.name(stage);
}
std::string_view name_of(Mode mode) {
  return modes.name(mode);
}
std::string_view name_of(Rollback rollback) {
  return rollbacks.name(rollback);
}
std::string_view name_of(RollbackTrigger trigger) {
  return triggers.name(trigger);
}

std::string_view name_of(DiagnosticFound::Severity severity) {
  return severity == DiagnosticFound::Severity::warning ? "warning" : "error";
}

std::optional<int> percent_of(const StageProgress& progress) {
  if (!progress.bytes_expected)
    return std::nullopt;
  const auto expected = static_cast<double>(*progress.bytes_expected);
  const double part = expected > 0 ? static_cast<double>(progress.bytes) / expected : 1.0;
  return static_cast<int>(std::min(part, 1.0) * 100);
}

std::optional<Outcome> outcome_from(std::string_view name) {
  return outcomes.value(name);
}
std::optional<Level> level_from(std::string_view name) {
  return levels.value(name);
}
std::optional<Stage> stage_from(std::string_view name) {
  return stages.value(name);
}
std::optional<Mode> mode_from(std::string_view name) {
  return modes.value(name);
}
std::optional<Rollback> rollback_from(std::string_view name) {
  return rollbacks.value(name);
}
std::optional<RollbackTrigger> rollback_trigger_from(std::string_view name) {
  return triggers.value(name);
}

std::span<const std::string_view> event_types() {
  return types;
}

std::string_view type_of(const Payload& payload) {
  return types[payload.index()];
}

} // namespace belay::event
