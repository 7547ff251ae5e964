// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "reporters/line_writer.h"
#include "reporters/reporter.h"

#include <string>
#include <vector>

// All that happened as lines for people, each with its time: `--log-dir DIR`, and on stderr with
// `--debug-logs`. What Nix, ssh and the activation scripts printed is in it line by line, so that
// one can see what came before what. It is written as things happen, and a run that is killed
// leaves what it had come to.

namespace belay::reporters {

class TextLogReporter final : public Reporter {
public:
  /// Opens `target` (open_output says how and what it throws).
  explicit TextLogReporter(std::string target);

  std::string name() const override { return "log " + target_; }
  void report(const event::Event& event, const event::RunState& state) override;
  void finish(Instant deadline) override;

private:
  std::string target_;
  LineWriter writer_;
};

/// "2026-03-01T12:00:00.123Z info  web-1/system activate: text", one line for each of an event's.
/// What a CI system would take for a command (without_commands) is none in it: with `--debug-logs`
/// it is the job's own log, and a target must not speak to its CI system.
std::vector<std::string> log_lines(const event::Event& event);

} // namespace belay::reporters
