// SPDX-License-Identifier: Apache-2.0
#include "runner/ask.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <array>
#include <memory>
#include <termios.h>
#include <unistd.h>

namespace belay::runner {

namespace {

constexpr std::size_t longest_answer = 100;

/// One line of stdin, which is a terminal: it comes whole. Throws Error{cancelled}.
std::string read_answer(const CancelToken& cancel) {
  std::string answer;
  while (answer.size() < longest_answer && answer.find('\n') == std::string::npos) {
    require_readable(STDIN_FILENO, {Instant::max(), cancel}, "waiting for an answer");
    std::array<char, longest_answer> buffer{};
    const auto count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count <= 0) {
      return {}; // the terminal is gone, or the answer is Ctrl-D
    }
    answer.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return answer;
}

bool is_yes(const std::string& answer) {
  const auto word = trim(answer);
  return word == "y" || word == "Y" || word == "yes" || word == "Yes" || word == "YES";
}

} // namespace

void require_terminal() {
  const bool answers = ::isatty(STDIN_FILENO) == 1;
  if (!answers || ::isatty(STDERR_FILENO) != 1) {
    throw Error(ErrorKind::usage, "flag --interactive: there is nobody to ask, because " +
                                      std::string(answers ? "stderr" : "stdin") +
                                      " is no terminal");
  }
}

bool ask(RunFrame& frame, const plan::Plan& plan) {
  RunReports& reports = frame.reports();
  for (const std::string& line : split(trim(plan::plan_to_table(plan)), '\n')) {
    reports.say(line);
  }
  ::tcflush(STDIN_FILENO, TCIFLUSH); // what was typed before answers some other question
  reports.say("Deploy this? [y/N]");
  const auto answer = std::make_shared<std::string>();
  const auto end = frame.work([answer](run::StepContext& context) {
    try {
      *answer = read_answer(context.work());
    } catch (const Error&) { // a signal, which is told as one
    }
  });
  return !end.stopped() && !end.left && is_yes(*answer);
}

} // namespace belay::runner
