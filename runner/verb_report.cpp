// SPDX-License-Identifier: Apache-2.0
#include "runner/verb_report.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/event/run_state.h"
#include "reporters/console.h"
#include "reporters/junit.h"

#include <cerrno>
#include <fstream>
#include <system_error>

namespace belay::runner {

namespace {

/// The saved events once more to the console, which is what a run without files leaves behind.
class Replay final : public event::Sink {
public:
  void on_event(const event::Event& event) override {
    event::fold(state_, event);
    console_->report(event, state_);
  }
  const event::RunState& state() const { return state_; }
  void finish() { console_->finish(Instant::max()); } // a pager may take its time

private:
  event::RunState state_;
  std::unique_ptr<reporters::Reporter> console_ = reporters::make_console_reporter();
};

} // namespace

event::ExitCode report_saved_run(const ReportOptions& options) {
  std::ifstream file(options.from);
  if (!file) {
    throw Error(ErrorKind::usage,
                "cannot read " + options.from + ": " + std::generic_category().message(errno));
  }
  try {
    Replay replay;
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
