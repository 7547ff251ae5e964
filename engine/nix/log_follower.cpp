// SPDX-License-Identifier: Apache-2.0
#include "engine/nix/log_follower.h"

#include "engine/base/text.h"
#include "engine/nix/command.h"

#include <algorithm>
#include <charconv>

namespace belay::nix {

namespace {

// Bounds of what is kept; a failure is explained with the last lines of one log.
constexpr std::size_t kept_lines = 25; // as `nix build` shows of a failing log
constexpr std::size_t kept_line_bytes = 1024;
constexpr std::size_t kept_logs = 4096;
constexpr std::size_t kept_failures = 4096;
constexpr std::size_t kept_activities = 100'000;

constexpr std::int64_t notice_level = 2; // 3 and up: lists of what will be built, chatter

void push_bounded(std::deque<std::string>& lines, std::string line) {
  lines.push_back(std::move(line));
  if (lines.size() > kept_lines) {
    lines.pop_front();
  }
}

/// "copying 12 paths"
std::optional<std::uint64_t> counted_paths(std::string_view text) {
  constexpr std::string_view before = "copying ";
  if (!text.starts_with(before)) {
    return std::nullopt;
  }
  text.remove_prefix(before.size());
  std::uint64_t count = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), count);
  return parsed.ec == std::errc() ? std::optional(count) : std::nullopt;
}

std::string joined(const std::deque<std::string>& lines) {
  const std::vector<std::string> all(lines.begin(), lines.end());
  return join(all, "\n");
}

} // namespace

bool tells_of_another(std::string_view message) {
  return message.find("dependencies of derivation") != std::string_view::npos || // 2.x
         message.find("dependency failed") != std::string_view::npos ||          // since 2.30
         message.find("dependencies failed") != std::string_view::npos ||
         (message.find("build of '") != std::string_view::npos &&
          message.find("' on '") == std::string_view::npos); // "on": by a remote builder
}

std::string failed_derivation(std::string_view message) {
  std::set<std::string> named;
  constexpr std::string_view end = ".drv'";
  for (auto at = message.find(end); at != std::string_view::npos; at = message.find(end, at + 1)) {
    const auto open = at == 0 ? at : message.rfind('\'', at - 1);
    const auto last = at + end.size() - 1;
    if (open != std::string_view::npos && open < last) {
      if (const auto path = StorePath::parse(message.substr(open + 1, last - open - 1))) {
        named.insert(path->string());
      }
    }
  }
  return named.size() == 1 ? *named.begin() : std::string();
}

LogFollower::LogFollower(ProgressSink sink, std::set<std::string> quiet_finish)
    : sink_(std::move(sink)), quiet_finish_(std::move(quiet_finish)) {}

void LogFollower::take(std::string_view line) {
  const LogRecord record = parse_log_line(line);
  switch (record.kind) {
  case LogRecord::Kind::text:
    keep_plain(record.text);
    return;
  case LogRecord::Kind::message:
    take_message(record);
    return;
  case LogRecord::Kind::start:
    take_start(record);
    return;
  case LogRecord::Kind::stop:
    take_stop(record);
    return;
  case LogRecord::Kind::log_line:
    take_log_line(record);
    return;
  case LogRecord::Kind::expected:
    take_expected(record);
    return;
  case LogRecord::Kind::other:
    return;
  }
}

void LogFollower::take_start(const LogRecord& record) {
  if (activities_.size() < kept_activities) {
    activities_[record.id] = {record.type, record.subject};
  }
  if (record.type == activity::build && !record.subject.empty()) {
    started_.emplace(record.subject, Instant::max());
    say({.kind = Progress::Kind::build_started, .derivation = record.subject, .text = {}});
  } else if (record.type == activity::copy_path && !record.subject.empty()) {
    copied_.push_back(record.subject);
    say({.kind = Progress::Kind::copying, .derivation = {}, .text = record.subject});
  } else if (record.type == activity::copy_paths) {
    if (const auto count = counted_paths(record.text)) {
      say({.kind = Progress::Kind::copy_count, .derivation = {}, .text = {}, .number = *count});
    }
  }
}

/// An activity may say it again when it knows better; several copies in turn add up.
void LogFollower::take_expected(const LogRecord& record) {
  if (record.type != activity::copy_path || record.number <= 0 ||
      expected_.size() >= kept_activities) {
    return;
  }
  expected_[record.id] = record.number;
  std::uint64_t sum = 0;
  for (const auto& [id, bytes] : expected_) {
    sum += static_cast<std::uint64_t>(bytes);
  }
  say({.kind = Progress::Kind::copy_size, .derivation = {}, .text = {}, .number = sum});
}

void LogFollower::take_stop(const LogRecord& record) {
  const auto found = activities_.find(record.id);
  if (found == activities_.end()) {
    return;
  }
  const Activity ended = std::move(found->second);
  activities_.erase(found);
  if (ended.type != activity::build || ended.subject.empty()) {
    return;
  }
  started_[ended.subject] = BootClock::now();
  if (quiet_finish_.contains(ended.subject)) {
    say({.kind = Progress::Kind::build_stopped, .derivation = ended.subject, .text = {}});
  } else {
    const bool failed =
        std::any_of(failures_.begin(), failures_.end(),
                    [&](const Failure& failure) { return failure.derivation == ended.subject; });
    say({.kind = Progress::Kind::build_finished,
         .derivation = ended.subject,
         .text = {},
         .ok = !failed});
  }
}

void LogFollower::take_log_line(const LogRecord& record) {
  const auto found = activities_.find(record.id);
  const bool of_build = found != activities_.end() && found->second.type == activity::build;
  const std::string derivation = of_build ? found->second.subject : std::string();
  const std::string text(record.text.substr(0, kept_line_bytes));
  say({.derivation = derivation, .text = record.text});
  if (derivation.empty()) {
    return;
  }
  if (!logs_.contains(derivation)) {
    log_order_.push_back(derivation);
  }
  push_bounded(logs_[derivation], valid_utf8(text));
  if (log_order_.size() > kept_logs) {
    logs_.erase(log_order_.front());
    log_order_.pop_front();
  }
}

void LogFollower::take_message(const LogRecord& record) {
  const bool error = record.level == 0 && record.text.starts_with("error:");
  if (error && tells_of_another(record.text)) {
    push_bounded(secondary_, readable_error(record.text));
  } else if (error && failures_.size() < kept_failures) {
    failures_.push_back({failed_derivation(record.text), readable_error(record.text)});
  }
  if (record.level <= notice_level) {
    say_lines(record.text);
  }
}

void LogFollower::keep_plain(const std::string& text) {
  push_bounded(plain_, text);
  say_lines(text);
}

std::string LogFollower::general_errors() const {
  std::vector<std::string> messages;
  for (const auto& failure : failures_) {
    if (failure.derivation.empty()) {
      messages.push_back(failure.message);
    }
  }
  return join(messages, "\n");
}

std::string LogFollower::errors() const {
  if (failures_.empty()) {
    return joined(secondary_.empty() ? plain_ : secondary_);
  }
  std::vector<std::string> messages;
  for (const auto& failure : failures_) {
    messages.push_back(failure.message);
  }
  return join(messages, "\n");
}

Instant LogFollower::finished_at(const std::string& derivation) const {
  const auto found = started_.find(derivation);
  return found == started_.end() ? Instant::max() : found->second;
}

std::string LogFollower::log_tail(const std::string& derivation) const {
  const auto found = logs_.find(derivation);
  return found == logs_.end() ? std::string() : joined(found->second);
}

void LogFollower::say(Progress progress) const {
  if (sink_) {
    sink_(progress);
  }
}

void LogFollower::say_lines(const std::string& text) const {
  for (auto& line : split(text, '\n')) {
    // Roots are ours to make: nix-store cannot know, and says so at every build.
    if (line.find("you did not specify '--add-root'") != std::string::npos) {
      continue;
    }
    say({.derivation = {}, .text = std::move(line)});
  }
}

} // namespace belay::nix
