// SPDX-License-Identifier: Apache-2.0
#include "reporters/console.h"

#include "engine/base/error.h"
#include "reporters/line_writer.h"
#include "reporters/live_console.h"

#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>
#include <unistd.h>
#include <utility>

namespace belay::reporters {

namespace {

/// Where spdlog's own sinks write and flush in the thread that logs, and so wait for whoever reads.
class LineSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
public:
  explicit LineSink(OutputTarget output) : writer_(std::move(output)) {}

  /// False if not everything is written by `deadline`, or never will be.
  bool drain(Instant deadline) {
    try {
      writer_.drain(deadline);
      return true;
    } catch (const Error&) {
      return false;
    }
  }

private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    writer_.write(std::string(message.payload.data(), message.payload.size()));
  }
  void flush_() override {} // only finish() waits

  LineWriter writer_;
};

/// Never fails: where a failure would be told is the very descriptor that cannot be written.
class DescriptorConsole final : public Console {
public:
  DescriptorConsole(OutputTarget output, const ConsoleOptions& options)
      : sink_(std::make_shared<LineSink>(std::move(output))), logger_("console", sink_),
        console_(
            [this](const ConsoleLine& line) {
              logger_.log(spdlog::level::info, "{}", line.text());
            },
            options) {
    logger_.set_error_handler([](const std::string&) {}); // the usual one writes to stderr
  }
  /// For who does not call finish(): a saved run that is told again, a run that never began.
  ~DescriptorConsole() override {
    if (!finished_)
      sink_->drain(BootClock::now() + std::chrono::minutes(1));
  }

  std::string name() const override { return console_.name(); }

  void report(const event::Event& event, const event::RunState& state) override {
    console_.report(event, state);
    // From the run's end on a signal may end the process: the lines shall be out by then.
    if (std::holds_alternative<event::RunFinished>(event.payload))
      sink_->drain(BootClock::now() + std::chrono::milliseconds(200));
  }

  void say(const std::string& line) override { logger_.log(spdlog::level::warn, "{}", line); }

  void finish(Instant deadline) override {
    finished_ = true;
    sink_->drain(deadline);
  }

private:
  std::shared_ptr<LineSink> sink_;
  spdlog::logger logger_;
  ConsoleReporter console_;
  bool finished_ = false;
};

class NoConsole final : public Console {
public:
  std::string name() const override { return "console"; }
  void report(const event::Event&, const event::RunState&) override {}
  void say(const std::string&) override {}
};

} // namespace

std::unique_ptr<Console> make_console_reporter(OutputTarget output, const ConsoleOptions& options) {
  const int fd = output.fd.get();
  if (options.live && ::isatty(fd) == 1)
    return std::make_unique<LiveConsole>(std::move(output), real_terminal(fd),
                                         LiveScreenOptions{options.colours});
  return std::make_unique<DescriptorConsole>(std::move(output), options);
}

std::unique_ptr<Console> make_console_reporter(const ConsoleOptions& options) {
  try {
    return make_console_reporter(open_output("fd:2"), options);
  } catch (const Error&) { // no stderr: then nobody wants to see anything
    return std::make_unique<NoConsole>();
  }
}

} // namespace belay::reporters
