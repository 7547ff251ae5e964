// SPDX-License-Identifier: Apache-2.0
#include "runner/verb_report.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/event/run_state.h"
#include "reporters/console.h"
#include "reporters/junit.h"

#include <cerrno>
#include <chrono>
#include <fstream>
#include <system_error>

namespace belay::runner {

namespace {

/// The saved events once more to the console, which is what a run without files leaves behind.
class Replay final : public event::Sink {
public:
  explicit Replay(bool only_ended)
      : console_(reporters::make_console_reporter({.only_ended = only_ended})) {}

  void on_event(const event::Event& event) override {
    event::fold(state_, event);
    console_->report(event, state_);
  }
  const event::RunState& state() const { return state_; }

  void finish() {
    if (state_.is_open())
      tell_end();
    console_->finish(Instant::max()); // a pager may take its time
  }

private:
  /// The run did not live to say it.
  void tell_end() {
    const auto verdict = event::judge(state_);
    event::RunFinished finished;
    finished.outcome = verdict.outcome;
    finished.exit_code = verdict.exit_code;
    finished.counts = verdict.counts;
    finished.duration =
        std::chrono::duration_cast<Duration>(state_.last_event_at - state_.started_at);
    event::Event event;
    event.time = state_.last_event_at;
    event.payload = std::move(finished);
    console_->report(event, state_);
  }

  event::RunState state_;
  std::unique_ptr<reporters::Reporter> console_;
};

/// Whether the run lived to say its end. What can be read but once (a pipe) may be of one that did
/// not.
bool has_end(std::istream& file) {
  if (!file.seekg(0)) {
    file.clear();
    return false;
  }
  bool ended = false;
  try {
    ended = !event::load_events(file).is_open();
  } catch (const Error&) { // damaged: told as far as it goes, and then this
  }
  file.clear();
  file.seekg(0);
  return ended;
}

} // namespace

event::ExitCode report_saved_run(const ReportOptions& options) {
  std::ifstream file(options.from);
  if (!file) {
    throw Error(ErrorKind::usage,
                "cannot read " + options.from + ": " + std::generic_category().message(errno));
  }
  try {
    Replay replay(!has_end(file));
    event::replay_events(file, replay);
    if (options.junit) {
      replace_file(*options.junit, reporters::junit_xml(replay.state()));
    }
    replay.finish();
    // A stream without run.finished is that of a run that was killed: it is judged as far as it
    // went.
    return static_cast<event::ExitCode>(event::judge(replay.state()).exit_code);
  } catch (Error& error) {
    error.add_context(options.from);
    throw;
  }
}

} // namespace belay::runner
