// SPDX-License-Identifier: Apache-2.0
#include "reporters/text_log.h"

#include "engine/base/text.h"
#include "reporters/console_table.h"

#include <utility>

namespace belay::reporters {

namespace {

std::string subject_of(const event::Subject& subject) {
  std::string text = subject.node;
  if (!subject.profile.empty())
    text += (text.empty() ? "" : "/") + subject.profile;
  if (subject.stage)
    text += (text.empty() ? "" : " ") + std::string(name_of(*subject.stage));
  return one_line(text);
}

/// "info ", as wide as the widest.
std::string level_of(event::Level level) {
  constexpr std::size_t widest = 5;
  std::string text(name_of(level));
  text.resize(widest, ' ');
  return text;
}

} // namespace

std::vector<std::string> log_lines(const event::Event& event) {
  const auto* log = std::get_if<event::LogLine>(&event.payload);
  const auto subject = subject_of(event.subject);
  const auto start = format_time(event.time) + " " + level_of(event.level) + " " +
                     (subject.empty() || log == nullptr ? "" : subject + ": ") +
                     (log == nullptr ? "" : one_line(log->stream) + "| ");
  std::vector<std::string> lines;
  for (const auto& line :
       log == nullptr ? std::vector<std::string>{event.message} : split(trim(log->text), '\n'))
    lines.push_back(without_commands(start + one_line(line)));
  return lines;
}

TextLogReporter::TextLogReporter(std::string target)
    : target_(std::move(target)), writer_(open_output(target_)) {}

void TextLogReporter::report(const event::Event& event, const event::RunState&) {
  for (auto& line : log_lines(event))
    writer_.write(std::move(line));
}

void TextLogReporter::finish(Instant deadline) {
  writer_.drain(deadline);
}

} // namespace belay::reporters
