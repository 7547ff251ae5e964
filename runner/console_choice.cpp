// SPDX-License-Identifier: Apache-2.0
#include "runner/console_choice.h"

#include "engine/base/file.h"

#include <charconv>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace belay::runner {

namespace {

/// Lines of JSON on the terminal and a frame that is drawn on it would destroy each other.
bool is_on_terminal(const std::string& events) {
  if (events == "-")
    return ::isatty(STDOUT_FILENO) == 1;
  int number = -1;
  if (events.starts_with("fd:")) {
    std::from_chars(events.data() + 3, events.data() + events.size(), number);
    return number >= 0 && ::isatty(number) == 1;
  }
  // A path may be a terminal's, too: /dev/stderr, /dev/tty.
  std::error_code problem;
  if (!std::filesystem::is_character_file(events, problem))
    return false;
  const UniqueFd opened(::open(events.c_str(), O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  return opened && ::isatty(opened.get()) == 1;
}

bool can_be_drawn_on(const std::string& terminal) {
  return !terminal.empty() && terminal != "dumb";
}

} // namespace

reporters::ConsoleOptions console_options(const plan::Reports& reports,
                                          const Environment& environment) {
  reporters::ConsoleOptions options;
  options.live = reports.progress && !reports.log_on_console &&
                 can_be_drawn_on(environment("TERM").value_or("")) &&
                 detect_trigger(environment).kind == "manual" &&
                 !(reports.events && is_on_terminal(*reports.events));
  options.colours = environment("NO_COLOR").value_or("").empty(); // no-color.org
  return options;
}

} // namespace belay::runner
