// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/cancel.h"
#include "reporters/console.h"
#include "reporters/live_screen.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

// The console on a terminal: the plain console's lines scroll by above, below them stands what goes
// on now (live_view.h). report() only takes note; a thread of the console's own draws, at most ten
// times a second, a frame with one write, and not at all where nothing looks different. So a
// terminal that is slow or stopped (Ctrl-S) delays nobody: lines wait for it in a bounded queue,
// and frames that nobody saw are not made up for.

namespace belay::reporters {

/// What the thread asks while it draws; real_terminal() has the machine's answers.
struct Terminal {
  std::function<TerminalSize()> size;
  /// Frames only while we are in the terminal's foreground: a shell may be in it meanwhile.
  std::function<bool()> in_foreground;
  std::function<WallTime()> now;
};

class LiveConsole final : public Console {
public:
  static constexpr std::size_t queue_limit = 8 * 1024 * 1024; ///< bytes of lines that wait
  static constexpr Duration shortest_frame = std::chrono::milliseconds(100);
  static constexpr Duration longest_frame = std::chrono::seconds(1);

  LiveConsole(OutputTarget output, Terminal terminal, LiveScreenOptions options);
  /// Takes the frame away and waits for the terminal, for a minute where finish() was not called.
  ~LiveConsole() override;

  std::string name() const override { return lines_.name(); }
  void report(const event::Event& event, const event::RunState& state) override;
  void say(const std::string& line) override;
  void finish(Instant deadline) override;

private:
  void add(const ConsoleLine& line);
  void drain(Instant deadline);
  void draw_frames();
  std::string next_bytes();

  OutputTarget output_;
  Terminal terminal_;
  LiveScreen screen_; ///< the thread's
  ConsoleReporter lines_{[this](const ConsoleLine& line) { add(line); }};
  CancelSource stop_;
  bool finished_ = false;

  std::mutex mutex_; ///< guards all below
  std::condition_variable changed_;
  LiveView view_;
  std::vector<ConsoleLine> above_; ///< to be written
  std::size_t waiting_bytes_ = 0;  ///< of them
  bool closing_ = false;           ///< no frame any more
  bool dirty_ = false;             ///< something was told since the last frame
  bool hurried_ = false;           ///< somebody waits for the next frame
  bool busy_ = false, broken_ = false;
  std::thread thread_;
};

/// The answers of the terminal behind `fd`, which must stay open.
Terminal real_terminal(int fd);

} // namespace belay::reporters
