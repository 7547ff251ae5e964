// SPDX-License-Identifier: Apache-2.0
#include "reporters/console.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace belay::reporters {

std::unique_ptr<Reporter> make_console_reporter() {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("console", std::move(sink));
  logger->set_pattern("%v"); // no colours: NO_COLOR has nothing to switch off
  logger->flush_on(spdlog::level::trace);
  return std::make_unique<ConsoleReporter>(
      [logger](const std::string& line) { logger->log(spdlog::level::info, "{}", line); });
}

} // namespace belay::reporters
