// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "reporters/console_table.h"
#include "reporters/output_target.h"
#include "reporters/reporter.h"
#include "reporters/story.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

// What a person sees in the job's log: one line for each thing that ends, and at the end the
// failures again with the last lines of their logs, because that is where people look first. Plain
// text without colours or cursor movements; every name and message that comes from outside is
// cleaned, so that a build log cannot play with the terminal, and what CI systems would take for a
// command of theirs is made harmless.

namespace belay::reporters {

class ConsoleReporter final : public Reporter {
public:
  using WriteLine = std::function<void(const std::string& line)>;

  /// `write_line` gets each line without its line feed.
  explicit ConsoleReporter(WriteLine write_line);

  std::string name() const override { return "console"; }
  void report(const event::Event& event, const event::RunState& state) override;

private:
  struct Lines; ///< one overload a payload

  void say(const std::string& line) const { write_line_(without_commands(line)); }
  void say_row(const Row& row) const { say(table_.format(row)); }
  void say_header(const event::RunStarted& started);
  void say_evaluate(const event::RunState& state);
  void say_plan(const event::RunState& state);
  void say_builds(const event::RunState& state);
  void say_diagnostic(const event::Event& event, const event::DiagnosticFound& diagnostic);
  void say_profile(const event::NodeState& node, const event::ProfileState& profile, WallTime now);
  void say_node(const event::NodeState& node, WallTime now);
  void say_end(const event::RunFinished& finished, const event::RunState& state);
  void say_failures(const event::RunState& state);
  void say_failure(const event::NodeState& node, const event::ProfileState& profile);
  void say_log(std::string_view log);

  void stage_finished(const event::Event& event, const event::RunState& state);

  WriteLine write_line_;
  Table table_;
  std::optional<WallTime> builds_since_;
  WallTime builds_until_{};
  bool builds_told_ = false;
  int builds_failed_ = 0;
  std::map<std::pair<std::string, std::string>, ProfileEnd> told_; ///< by node and profile
};

/// GitHub's runner acts on `::name` at the start of a line, blanks before it or not, and on
/// `##[name` anywhere in it; both come out with a blank in between.
std::string without_commands(std::string line);

/// Writes to stderr through spdlog. A pipe or terminal that nobody reads delays nobody: its lines
/// wait in a queue (line_writer.h) for which finish() waits until its deadline, the destructor of a
/// reporter without finish() a minute. Never throws: an unusable stderr has no lines.
std::unique_ptr<Reporter> make_console_reporter();
std::unique_ptr<Reporter> make_console_reporter(OutputTarget output); ///< the same, elsewhere

} // namespace belay::reporters
