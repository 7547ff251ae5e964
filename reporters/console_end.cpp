// SPDX-License-Identifier: Apache-2.0
#include "engine/base/text.h"
#include "engine/event/exit_code.h"
#include "reporters/console.h"
#include "reporters/display_width.h"

#include <algorithm>

// The end of the console output: the verdict, the failures again, where the reports are.

namespace belay::reporters {

namespace {

using event::NodeState;
using event::Outcome;
using event::ProfileState;
using event::RunState;

constexpr std::size_t shown_failures = 50;

std::string_view headline(Outcome outcome) {
  switch (outcome) {
  case Outcome::success:
    return "OK";
  case Outcome::cancelled:
    return "CANCELLED";
  case Outcome::failure:
  case Outcome::error:
  case Outcome::skipped:
    return "FAILED";
  }
  return "FAILED";
}

/// Of the nodes that succeeded.
const char* success_text(const RunState& state) {
  if (!state.plan || state.plan->mode == event::Mode::activate)
    return "deployed";
  return state.is_dry() ? "dry run" : "activated for next boot";
}

/// "3 deployed, 1 rolled back"
std::string counts_text(const event::RunFinished::Counts& counts, const RunState& state) {
  std::vector<std::string> parts;
  const auto add = [&](int number, const char* what) {
    if (number > 0)
      parts.push_back(std::to_string(number) + " " + what);
  };
  const int bad = counts.failure + counts.error;
  add(counts.success, success_text(state));
  add(counts.rolled_back, "rolled back");
  add(std::max(0, bad - counts.rolled_back), "failed");
  add(counts.cancelled, "cancelled");
  add(counts.skipped, "skipped");
  return join(parts, ", ");
}

/// What a run that never came to a node says instead.
std::string problems_text(const RunState& state) {
  const auto errors = std::count_if(
      state.diagnostics.begin(), state.diagnostics.end(), [](const event::DiagnosticState& found) {
        return found.diagnostic.severity == event::DiagnosticFound::Severity::error;
      });
  if (errors == 0)
    return "no node was deployed";
  return std::to_string(errors) + (errors == 1 ? " problem" : " problems") +
         ", nothing was touched";
}

std::string meaning_of(int exit_code) {
  for (const event::ExitCodeInfo& info : event::exit_codes())
    if (static_cast<int>(info.code) == exit_code)
      return std::string(info.name);
  return "";
}

/// A node that failed before its profiles were known has one without a name.
std::vector<const ProfileState*> profiles_of(const NodeState& node) {
  static const ProfileState nameless;
  if (node.profiles.empty())
    return {&nameless};
  std::vector<const ProfileState*> profiles;
  for (const ProfileState& profile : node.profiles)
    profiles.push_back(&profile);
  return profiles;
}

} // namespace

void ConsoleReporter::say_end(const event::RunFinished& finished, const RunState& state) {
  if (state.is_open())
    say("CUT OFF   the events end before the run does: this is how far they tell", Tone::bad);
  std::string exit = "exit " + std::to_string(finished.exit_code);
  if (finished.exit_code != 0)
    exit += " (" + meaning_of(finished.exit_code) + ")";
  const std::string counts = counts_text(finished.counts, state);
  say(std::string(headline(finished.outcome)) + "   " +
          (counts.empty() ? problems_text(state) : counts) + "   " +
          format_duration(finished.duration) + "   " + exit,
      finished.outcome == Outcome::success     ? Tone::good
      : finished.outcome == Outcome::cancelled ? Tone::warning
                                               : Tone::bad);
  say_failures(state);
  std::string reports;
  for (const auto& [name, path] : finished.artifacts)
    reports += "  " + one_line(path);
  if (!reports.empty())
    say(" reports:" + reports);
}

void ConsoleReporter::say_failures(const RunState& state) {
  if (state.evaluate && state.evaluate->outcome != Outcome::success) {
    const std::string error =
        state.evaluate->error.empty() ? state.evaluate_message : state.evaluate->error;
    say(" evaluate  " + cut_to(one_line(error), 1000));
    say_log(state.evaluate_log);
  }
  for (const event::CheckState& check : state.checks)
    if (check.finished.outcome == Outcome::failure || check.finished.outcome == Outcome::error) {
      const std::string error = one_line(check.finished.error);
      say(" check  " + cut_to(one_line(join(check.finished.failed, ", ")) + " of " +
                                  one_line(check.finished.flake) + ": " + error,
                              1000));
      say_log(check.log, error);
    }
  std::size_t failures = 0;
  for (const bool causes : {true, false}) // and then those that only followed from them
    for (const NodeState& node : state.nodes)
      for (const ProfileState* profile : profiles_of(node))
        if (is_bad(final_end_of(node, *profile)) && (broken_stage(*profile) != nullptr) == causes &&
            ++failures <= shown_failures)
          say_failure(node, *profile);
  if (failures > shown_failures)
    say(" and " + std::to_string(failures - shown_failures) + " more; the reports have them all");
}

void ConsoleReporter::say_failure(const NodeState& node, const ProfileState& profile) {
  std::string text = trouble_of(node, profile);
  const std::string rollback = rollback_sentence(profile);
  if (text.empty())
    text = node.finished ? std::string(label_of(end_of(node, profile)))
                         : "the run ended without a word about it; its state is not known";
  if (!rollback.empty())
    text += "; " + rollback;
  if (node.finished && !node.finished->decides_by.empty() &&
      text.find(node.finished->decides_by) == std::string::npos)
    text += "; the target decides by " + node.finished->decides_by;
  const std::string subject = profile.name.empty() ? node.id : node.id + "/" + profile.name;
  say(" " + one_line(subject) + "  " + cut_to(one_line(text), 1000));
  say_log(log_of(node, profile), one_line(text));
}

/// `said`: what stands above it and need not be said again by its first line.
void ConsoleReporter::say_log(std::string_view log, std::string_view said, std::size_t most) {
  const std::string clean = clean_text(log);
  std::vector<std::string> lines = split(trim(clean), '\n');
  if (lines.front() == said)
    lines.erase(lines.begin());
  if (lines.size() > most)
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(most));
  for (const std::string& line : lines)
    if (!trim(line).empty())
      say("   | " + cut_to(line, 400));
}

} // namespace belay::reporters
