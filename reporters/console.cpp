// SPDX-License-Identifier: Apache-2.0
#include "reporters/console.h"

#include "engine/base/text.h"
#include "engine/event/streams.h"
#include "reporters/display_width.h"

#include <algorithm>

namespace belay::reporters {

namespace {

using event::Event;
using event::NodeState;
using event::Outcome;
using event::ProfileState;
using event::RunState;
using event::Stage;
using event::StageState;

constexpr std::size_t dry_run_lines = 200; // of a node; all that there are, as a rule

/// Failures whose rollback is still to be told; their line waits for it.
bool may_roll_back(Stage stage) {
  return stage == Stage::activate || stage == Stage::confirm || stage == Stage::verify;
}

std::string plural(std::size_t number, std::string_view what) {
  return std::to_string(number) + " " + std::string(what) + (number == 1 ? "" : "s");
}

std::string size_of(const ProfileState& profile) {
  const StageState* copy = stage_of(profile, Stage::copy);
  return copy != nullptr && copy->finished && copy->finished->bytes
             ? format_bytes(*copy->finished->bytes)
             : "";
}

/// The runner's builds have one line together; what a target builds has one of its own.
bool is_build_here(const Event& event, const RunState& state) {
  if (event.subject.stage != Stage::build)
    return false;
  const NodeState* node = state.find(event.subject.node);
  return node == nullptr ||
         std::none_of(node->profiles.begin(), node->profiles.end(),
                      [&](const ProfileState& profile) {
                        return profile.remote_build && profile.name == event.subject.profile;
                      });
}

std::string where(const event::Subject& subject) {
  return subject.profile.empty() ? subject.node : subject.node + "/" + subject.profile;
}

} // namespace

ConsoleReporter::ConsoleReporter(WriteLine write_line, const ConsoleOptions& options)
    : write_line_(std::move(write_line)), options_(options) {}

/// What CI systems would take for a command of theirs is made harmless.
void ConsoleReporter::say(const ConsoleLine& line) const {
  write_line_({without_commands(line.start), without_commands(line.rest), line.tone});
}

/// What each payload means for the console; a new one does not compile until it is decided here.
struct ConsoleReporter::Lines {
  ConsoleReporter& console;
  const Event& event;
  const RunState& state;

  void warn(const std::string& text) const {
    const std::string about = where(event.subject);
    const std::string known = one_line(text);
    const bool named = about.empty() || known.starts_with(one_line(about));
    console.say(" warning: " + cut_to(named ? known : one_line(about) + ": " + known, 300),
                Tone::warning);
  }

  void operator()(const event::RunStarted& p) const { console.say_header(p); }
  void operator()(const event::PlanResolved& p) const {
    for (const auto& node : p.nodes)
      for (const auto& profile : node.profiles)
        console.table_.widen(node.id, profile.name);
    if (p.last)
      console.say_plan(state);
  }
  void operator()(const event::DiagnosticFound& p) const { console.say_diagnostic(event, p); }
  void operator()(const event::EvaluateFinished&) const { console.say_evaluate(state); }
  void operator()(const event::CheckFinished& p) const { console.say_check(p); }
  void operator()(const event::BuildFinished& p) const {
    if (!p.built_on.empty())
      return console.say_build_there(event, p);
    console.builds_failed_ += p.outcome == Outcome::success ? 0 : 1;
    if (!console.builds_since_)
      console.builds_since_ = event.time - p.duration;
    console.builds_until_ = event.time;
  }
  void operator()(const event::NodeQueued&) const {}
  void operator()(const event::NodeStarted&) const {}
  void operator()(const event::StageStarted&) const {
    if (is_build_here(event, state) && !console.builds_since_)
      console.builds_since_ = event.time;
  }
  void operator()(const event::StageProgress&) const {}
  void operator()(const event::StageFinished& p) const {
    if (is_build_here(event, state) && p.outcome != Outcome::skipped) {
      if (!console.builds_since_)
        console.builds_since_ = event.time;
      console.builds_until_ = event.time;
    }
    for (const char* name : {"drift", "detach_weak"})
      if (const auto found = p.details.find(name); found != p.details.end())
        warn(std::string(name) + ": " + found->second);
    console.stage_finished(event, state);
  }
  void operator()(const event::StageRetrying&) const { warn(event.message); }
  void operator()(const event::LockWaiting&) const { warn(event.message); }
  void operator()(const event::EarlierResolved&) const { warn(event.message); }
  void operator()(const event::NodeRolledBack&) const {
    const NodeState* node = state.find(event.subject.node);
    if (node == nullptr)
      return;
    for (const ProfileState& profile : node->profiles)
      if (profile.name == event.subject.profile)
        console.say_profile(*node, profile, event.time);
  }
  void operator()(const event::NodeFinished&) const {
    if (const NodeState* node = state.find(event.subject.node))
      console.say_node(*node, event.time);
  }
  void operator()(const event::LogLine& p) const {
    if (event.level == event::Level::warn) // an error's log comes with its failure, at the end
      warn(p.text);
    else if (p.stream == event::streams::progress || p.stream == event::streams::note)
      console.say_note(event, p.text);
  }
  void operator()(const event::Heartbeat& p) const {
    constexpr std::size_t shown = 8;
    const std::span<const std::string> names(p.running);
    std::string text = join(names.first(std::min(shown, names.size())), ", ");
    if (names.size() > shown)
      text += " and " + std::to_string(names.size() - shown) + " more";
    if (!text.empty())
      console.say(console.table_.format_wide("running", text,
                                             format_duration(event.time - state.started_at)));
  }
  void operator()(const event::CancelRequested&) const {
    console.say("CANCELLED   " + one_line(event.message), Tone::warning);
  }
  void operator()(const event::WebhookDelivered&) const {}
  void operator()(const event::WebhookFailed&) const { warn(event.message); }
  void operator()(const event::RunFinished& p) const { console.say_end(p, state); }
};

void ConsoleReporter::report(const Event& event, const RunState& state) {
  const bool past_builds = event.subject.stage && !is_build_here(event, state) &&
                           *event.subject.stage != Stage::evaluate &&
                           *event.subject.stage != Stage::check &&
                           std::holds_alternative<event::StageStarted>(event.payload);
  const auto* ended = std::get_if<event::StageFinished>(&event.payload);
  const bool build_failed =
      ended != nullptr && event.subject.stage == Stage::build && ended->outcome == Outcome::failure;
  if (past_builds || build_failed || std::holds_alternative<event::NodeFinished>(event.payload) ||
      std::holds_alternative<event::RunFinished>(event.payload))
    say_builds(state);
  std::visit(Lines{*this, event, state}, event.payload);
}

void ConsoleReporter::say_header(const event::RunStarted& p) {
  std::string line = one_line(p.tool_name + " " + p.tool_version);
  if (!p.environment.empty())
    line += "  " + one_line(p.environment);
  for (const std::string& flake : p.flakes)
    line += "  " + one_line(flake);
  if (!p.rev.empty())
    line += " @ " + one_line(p.rev).substr(0, 7) + (p.dirty ? " (dirty)" : "");
  say(line);
}

void ConsoleReporter::say_evaluate(const RunState& state) {
  const bool good = state.evaluate->outcome == Outcome::success;
  say(table_.format_wide("evaluate", "", format_duration(state.evaluate->duration),
                         good ? "" : "FAILED"));
}

void ConsoleReporter::say_check(const event::CheckFinished& finished) {
  const std::string_view result = finished.outcome == Outcome::success     ? ""
                                  : finished.outcome == Outcome::cancelled ? "cancelled"
                                                                           : "FAILED";
  std::string text = finished.flake;
  if (!finished.failed.empty())
    text += ": " + join(finished.failed, ", ");
  say(table_.format_wide("check", text, format_duration(finished.duration), result));
}

void ConsoleReporter::say_plan(const RunState& state) {
  std::size_t profiles = 0;
  for (const NodeState& node : state.nodes)
    profiles += node.profiles.size();
  say(table_.format_wide("plan",
                         plural(state.nodes.size(), "node") + ", " + plural(profiles, "profile") +
                             ", " + std::to_string(state.plan->parallel) + " at once" +
                             (state.plan->mode == event::Mode::activate
                                  ? ""
                                  : ", " + std::string(name_of(state.plan->mode))),
                         ""));
}

void ConsoleReporter::say_builds(const RunState& state) {
  if (builds_told_ || !builds_since_)
    return;
  builds_told_ = true;
  std::string text =
      std::to_string(state.built) + " built, " + std::to_string(state.cached) + " in the store";
  if (builds_failed_ > 0)
    text += ", " + std::to_string(builds_failed_) + " failed";
  const bool none = state.built + state.cached + builds_failed_ == 0;
  if (none && state.cancel)
    text = "cancelled";
  say(table_.format_wide("build", text, format_duration(builds_until_ - *builds_since_),
                         builds_failed_ > 0 ? "FAILED" : ""));
}

void ConsoleReporter::say_note(const Event& event, const std::string& text) {
  constexpr std::size_t widest = 200;
  const std::string about = event.subject.node.empty() ? "" : where(event.subject) + ": ";
  const auto stage = event.subject.stage.value_or(Stage::build);
  say(table_.format_wide(std::string(name_of(stage)), cut_to(one_line(about + text), widest), ""));
}

/// One line for each: it may have taken long, and nothing else tells of it before the node's end.
void ConsoleReporter::say_build_there(const Event& event, const event::BuildFinished& built) {
  if (!built.cached)
    say(table_.format_wide("build", "on " + built.built_on + ": " + event.subject.profile,
                           format_duration(built.duration),
                           built.outcome == Outcome::success ? "" : "FAILED"));
}

/// `belay.yaml:2:1: error: …`, the form that editors and CI systems find the place by.
void ConsoleReporter::say_diagnostic(const Event& event, const event::DiagnosticFound& found) {
  const std::string message = one_line(event.message);
  const std::string severity = std::string(name_of(found.severity)) + ": ";
  std::string place = one_line(found.file);
  if (!place.empty() && found.line > 0)
    place += ":" + std::to_string(found.line) +
             (found.column > 0 ? ":" + std::to_string(found.column) : "");
  const std::string start = place.empty() ? severity : place + ": " + severity;
  const std::string hint = one_line(found.hint);
  std::string line = message.starts_with(start) ? message : start + message;
  if (!hint.empty() && line.find(hint) == std::string::npos)
    line += "; " + hint;
  say(line, found.severity == event::DiagnosticFound::Severity::error ? Tone::bad : Tone::warning);
}

void ConsoleReporter::stage_finished(const Event& event, const RunState& state) {
  const NodeState* node = state.find(event.subject.node);
  if (node == nullptr || node->profiles.empty() || !event.subject.stage)
    return;
  const auto ended = std::get<event::StageFinished>(event.payload).outcome;
  if (ended == Outcome::success && *event.subject.stage != Stage::rollback) {
    const ProfileState& last = node->profiles.back();
    if (!options_.only_ended && last.name == event.subject.profile && !last.stages.empty() &&
        is_good(end_of(*node, last)))
      say_node(*node, event.time);
  } else if ((ended == Outcome::failure || ended == Outcome::error) &&
             !may_roll_back(*event.subject.stage)) {
    for (const ProfileState& profile : node->profiles)
      if (profile.name == event.subject.profile)
        say_profile(*node, profile, event.time);
  }
}

void ConsoleReporter::say_node(const NodeState& node, WallTime now) {
  for (const ProfileState& profile : node.profiles)
    say_profile(node, profile, now);
  if (!node.profiles.empty() || !node.finished)
    return;
  ProfileState none; // a node that failed before its profiles were known
  say_profile(node, none, now);
}

void ConsoleReporter::say_profile(const NodeState& node, const ProfileState& profile,
                                  WallTime now) {
  const ProfileEnd end = end_of(node, profile);
  const auto [told, is_new] = told_.try_emplace({node.id, profile.name}, end);
  if (!is_new && told->second == end)
    return;
  told->second = end;
  Row row{node.id, profile.name, size_of(profile), generations_of(profile), "", "", ""};
  if (node.started_at && end != ProfileEnd::skipped)
    row.duration = format_duration(now - *node.started_at);
  row.result = label_of(end);
  if (end == ProfileEnd::skipped)
    row.why = node.finished && node.finished->outcome == Outcome::skipped
                  ? sentence_of(node.finished->reason)
                  : "not reached";
  else if (!is_good(end))
    row.why = trouble_of(node, profile);
  row.tone = is_bad(end) ? Tone::bad : is_good(end) ? Tone::good : Tone::warning;
  say(table_.format(row));
  if (end == ProfileEnd::dry_run) // what the script would do is what was asked
    say_log(log_of(node, profile), {}, dry_run_lines);
}

} // namespace belay::reporters
