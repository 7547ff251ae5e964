// SPDX-License-Identifier: Apache-2.0
#include "reporters/live_console.h"

#include "engine/base/thread.h"
#include "engine/event/streams.h"
#include "reporters/patient_write.h"

#include <algorithm>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utility>

namespace belay::reporters {

namespace {

/// A first answer shall be there at once; what a stopped terminal has not shown by then stays
/// unsaid.
constexpr Duration end_limit = std::chrono::milliseconds(200);

std::size_t size_of(const ConsoleLine& line) {
  return line.start.size() + line.rest.size() + sizeof(ConsoleLine);
}

} // namespace

Terminal real_terminal(int fd) {
  const auto size = [fd] {
    winsize window{};
    TerminalSize found;
    if (::ioctl(fd, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 && window.ws_row > 0)
      found = {window.ws_col, window.ws_row};
    return found;
  };
  const auto in_foreground = [fd] {
    const pid_t foreground = ::tcgetpgrp(fd); // fails where it is not the one that controls us
    return foreground < 0 || foreground == ::getpgrp();
  };
  return {size, in_foreground, [] { return SystemClock().wall(); }};
}

LiveConsole::LiveConsole(OutputTarget output, Terminal terminal, LiveScreenOptions options)
    : output_(std::move(output)), terminal_(std::move(terminal)), screen_(options),
      thread_(start_thread("the console", [this] { draw_frames(); })) {}

LiveConsole::~LiveConsole() {
  {
    const std::scoped_lock lock(mutex_);
    closing_ = dirty_ = true;
  }
  drain(BootClock::now() + (finished_ ? end_limit : std::chrono::minutes(1)));
  {
    const std::scoped_lock lock(mutex_);
    stop_.cancel();
  }
  changed_.notify_all();
  thread_.join();
}

void LiveConsole::report(const event::Event& event, const event::RunState& state) {
  // What goes on stands in the frame; a list of it every half minute is for logs.
  const auto* log = std::get_if<event::LogLine>(&event.payload);
  const bool stands_in_frame = std::holds_alternative<event::Heartbeat>(event.payload) ||
                               (log != nullptr && log->stream == event::streams::progress);
  if (!stands_in_frame)
    lines_.report(event, state);
  {
    const std::scoped_lock lock(mutex_);
    view_.take(event);
    dirty_ = true;
  }
  changed_.notify_all();
  // From the run's end on a signal may end the process: the frame shall be gone by then.
  if (std::holds_alternative<event::RunFinished>(event.payload))
    drain(BootClock::now() + end_limit);
}

void LiveConsole::say(const std::string& line) {
  add({"", line, Tone::warning});
  changed_.notify_all();
}

void LiveConsole::finish(Instant deadline) {
  finished_ = true;
  drain(deadline);
}

void LiveConsole::add(const ConsoleLine& line) {
  const std::scoped_lock lock(mutex_);
  if (broken_ || waiting_bytes_ + size_of(line) > queue_limit)
    return; // where one could tell it is the very terminal that is not read
  waiting_bytes_ += size_of(line);
  above_.push_back(line);
  dirty_ = true;
}

void LiveConsole::drain(Instant deadline) {
  std::unique_lock lock(mutex_);
  hurried_ = true;
  changed_.notify_all();
  const auto left = std::max(deadline - BootClock::now(), Duration::zero());
  changed_.wait_for(lock, std::min<Duration>(left, std::chrono::hours(1)),
                    [this] { return broken_ || (!dirty_ && !busy_); });
}

/// Under the lock.
std::string LiveConsole::next_bytes() {
  const TerminalSize size = terminal_.size();
  Frame frame;
  if (!closing_ && terminal_.in_foreground())
    frame = view_.frame(size, terminal_.now());
  const auto above = std::exchange(above_, {});
  waiting_bytes_ = 0;
  dirty_ = false;
  return screen_.draw(above, std::move(frame), size);
}

void LiveConsole::draw_frames() {
  block_sigpipe();
  const Wait until_stopped{Instant::max(), stop_.token()};
  std::unique_lock lock(mutex_);
  while (!broken_ && !stop_.cancelled()) {
    changed_.wait_for(lock, longest_frame, [this] { return dirty_ || stop_.cancelled(); });
    const std::string bytes = next_bytes();
    busy_ = true;
    lock.unlock();
    bool broken = false;
    try {
      broken = !write_waiting(output_.fd.get(), bytes, until_stopped);
    } catch (const Error&) { // hung up
      broken = true;
    }
    lock.lock();
    busy_ = false;
    broken_ = broken;
    changed_.notify_all();
    // What comes within this time shares the next frame, unless somebody waits for it.
    changed_.wait_for(lock, shortest_frame, [this] { return hurried_ || stop_.cancelled(); });
    hurried_ = false;
  }
}

} // namespace belay::reporters
