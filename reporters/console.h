// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "reporters/console_table.h"
#include "reporters/output_target.h"
#include "reporters/reporter.h"
#include "reporters/story.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

// What a person sees in the job's log: one line for each thing that ends, and at the end the
// failures again with the last lines of their logs, because that is where people look first. Plain
// text without colours or cursor movements, which a live console may add around it; every name and
// message that comes from outside is cleaned, so that a build log cannot play with the terminal,
// and what CI systems would take for a command of theirs is made harmless.

namespace belay::reporters {

struct ConsoleOptions {
  bool live = false;    ///< on a terminal: what goes on, as lines that move (live_console.h)
  bool colours = false; ///< of the live one; the plain one never has any
  /// Of a run that may have been killed: a node that went well has its line when its own end was
  /// told, not when its stages are through. It may have been about to be taken back.
  bool only_ended = false;
};

class ConsoleReporter final : public Reporter {
public:
  explicit ConsoleReporter(WriteLine write_line, const ConsoleOptions& options = {});

  std::string name() const override { return "console"; }
  /// A run.finished that `state` does not have is the end of the events of a run that was killed.
  void report(const event::Event& event, const event::RunState& state) override;

private:
  struct Lines; ///< one overload a payload

  void say(const ConsoleLine& line) const;
  void say(const std::string& line, Tone tone = Tone::none) const { say({"", line, tone}); }
  void say_header(const event::RunStarted& started);
  void say_evaluate(const event::RunState& state);
  void say_check(const event::CheckFinished& finished);
  void say_plan(const event::RunState& state);
  void say_builds(const event::RunState& state);
  void say_note(const event::Event& event, const std::string& text);
  void say_build_there(const event::Event& event, const event::BuildFinished& built);
  void say_diagnostic(const event::Event& event, const event::DiagnosticFound& diagnostic);
  void say_profile(const event::NodeState& node, const event::ProfileState& profile, WallTime now);
  void say_node(const event::NodeState& node, WallTime now);
  void say_end(const event::RunFinished& finished, const event::RunState& state);
  void say_failures(const event::RunState& state);
  void say_failure(const event::NodeState& node, const event::ProfileState& profile);
  void say_log(std::string_view log, std::string_view said = "", std::size_t most = 20);

  void stage_finished(const event::Event& event, const event::RunState& state);

  WriteLine write_line_;
  ConsoleOptions options_;
  Table table_;
  std::optional<WallTime> builds_since_;
  WallTime builds_until_{};
  bool builds_told_ = false;
  int builds_failed_ = 0;
  std::map<std::pair<std::string, std::string>, ProfileEnd> told_; ///< by node and profile
};

/// The console of a program: a reporter that also takes a line of the program's own.
class Console : public Reporter {
public:
  /// About the program itself ("reporter … was switched off"); clean. The thread that reports.
  virtual void say(const std::string& line) = 0;
};

/// Writes to stderr. A pipe or terminal that nobody reads delays nobody: its lines wait in a queue
/// of bounded size for which finish() waits until its deadline, the destructor of a reporter
/// without finish() a minute. Never throws: an unusable stderr has no lines.
std::unique_ptr<Console> make_console_reporter(const ConsoleOptions& options = {});
/// The same, elsewhere.
std::unique_ptr<Console> make_console_reporter(OutputTarget output,
                                               const ConsoleOptions& options = {});

} // namespace belay::reporters
