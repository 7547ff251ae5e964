// SPDX-License-Identifier: Apache-2.0
#include "reporters/live_console.h"

#include "engine/base/error.h"
#include "tests/catch.h"
#include "tests/unit/reporters/sample_events.h"
#include "tests/unit/reporters/small_terminal.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

using namespace belay;
using namespace belay::reporters;
using namespace belay::test;
using namespace std::chrono_literals;
using event::Outcome;
using event::Stage;
using Lines = std::vector<std::string>;

namespace {

constexpr WallTime begin{1'000'000s};

/// The other end of a live console: reads what it writes and shows it on a small terminal.
class Watched {
public:
  std::atomic<bool> foreground = true;
  std::atomic<int> seconds = 0;
  SmallTerminal seen{{80, 24}};
  std::string bytes;
  std::unique_ptr<LiveConsole> console;

  Watched() {
    auto [reading, writing] = make_pipe();
    reading_ = std::move(reading);
    console = std::make_unique<LiveConsole>(
        OutputTarget{std::move(writing), false},
        Terminal{[] {
                   return TerminalSize{80, 24};
                 },
                 [this] { return foreground.load(); },
                 [this] { return begin + std::chrono::seconds(seconds.load()); }},
        LiveScreenOptions{false});
  }
  void tell(event::Payload payload, event::Subject subject = {}, std::string message = "") {
    event::Event event = sample(std::move(payload), std::move(subject), std::move(message));
    event.time = begin;
    event::fold(state_, event);
    console->report(event, state_);
  }
  /// Reads until the screen has such a line.
  void wait_for(const std::string& start, const std::string& end = "") {
    const Wait wait = Wait::at_most(20s);
    while (!has(start, end)) {
      INFO(start);
      REQUIRE(read(wait));
    }
  }
  bool has(const std::string& start, const std::string& end = "") const {
    const Lines lines = seen.screen();
    return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.starts_with(start) && line.ends_with(end);
    });
  }
  void close() {
    console.reset();
    while (read(Wait::at_most(20s)))
      continue;
  }
  UniqueFd& reading() { return reading_; }

private:
  bool read(const Wait& wait) {
    std::array<char, 65536> buffer{};
    if (wait_readable(reading_.get(), wait) != Ready::yes)
      return false;
    const ssize_t size = ::read(reading_.get(), buffer.data(), buffer.size());
    if (size <= 0)
      return false;
    const std::string_view part(buffer.data(), static_cast<std::size_t>(size));
    bytes += part;
    seen.write(part);
    return true;
  }

  UniqueFd reading_;
  event::RunState state_;
};

event::Subject copy_of(const std::string& node) {
  return {node, "system", Stage::copy, 0};
}

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

} // namespace

TEST_CASE("what goes on is seen, its time goes on by itself, and at the end it is gone") {
  Watched watched;
  watched.tell(event::RunStarted{});
  watched.tell(plan_of({"web-1", "web-2"}));
  watched.tell(event::StageStarted{}, copy_of("web-1"));
  watched.wait_for(" web-1     system", "0 s   copying");
  watched.seconds = 5; // and nobody says anything
  watched.wait_for(" web-1     system", "5 s   copying");
  watched.tell(stage_end(Outcome::error, "unreachable"), copy_of("web-1"), "no route");
  watched.tell(node_end(Outcome::error, "unreachable"), {"web-1", "", {}, 0});
  watched.wait_for(" nodes     1 of 2 done");
  CHECK(watched.has(" plan      2 nodes"));
  watched.console->say("belay: reporter junit was switched off: no space");
  watched.tell(event::RunFinished{});
  watched.close();
  const Lines lines = watched.seen.everything();
  REQUIRE(lines.size() >= 4);
  CHECK(lines[1].starts_with(" plan      2 nodes"));
  CHECK(lines[2].find("UNREACHABLE  no route") != std::string::npos);
  CHECK(lines[3] == "belay: reporter junit was switched off: no space");
  CHECK_FALSE(watched.has(" nodes"));
  CHECK_FALSE(watched.has(" web-1", "copying"));
}

TEST_CASE("what stands in the frame is not told above it again; a note is") {
  Watched watched;
  watched.tell(event::RunStarted{});
  watched.tell(event::StageStarted{}, {"", "", Stage::check, 0});
  watched.tell(event::LogLine{"progress", "checking .", {}, true}, {"", "", Stage::check, 0});
  watched.tell(event::LogLine{"note", "made before", {}, true}, {"", "", Stage::check, 0});
  watched.tell(event::RunFinished{});
  watched.close();
  const Lines lines = watched.seen.everything();
  const auto seen = [&](const std::string& part) {
    return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.find(part) != std::string::npos;
    });
  };
  CHECK(seen("made before"));
  CHECK_FALSE(seen("checking ."));
}

TEST_CASE("a console that ends without a run's end takes its frame away, too") {
  Watched watched;
  watched.tell(event::StageStarted{}, copy_of("web-1"));
  watched.wait_for(" web-1");
  watched.close();
  CHECK(watched.seen.everything().empty());
  CHECK(watched.seen.wraps());
}

TEST_CASE("in the background there are lines and no frames") {
  Watched watched;
  watched.foreground = false;
  watched.tell(plan_of({"web-1", "web-2"}));
  watched.tell(event::StageStarted{}, copy_of("web-1"));
  watched.wait_for(" plan");
  watched.foreground = true;
  watched.wait_for(" web-1");
  watched.foreground = false;
  watched.tell(event::StageStarted{}, copy_of("web-2"));
  watched.close();
  CHECK(watched.seen.everything().size() == 1);
}

TEST_CASE("many events share a frame") {
  Watched watched;
  const Instant start = BootClock::now();
  watched.tell(plan_of({"web-1", "web-2"}));
  watched.tell(event::StageStarted{}, copy_of("web-1"));
  for (std::uint64_t i = 0; i < 20'000; ++i)
    watched.tell(event::StageProgress{i * 100'000, {}}, copy_of("web-1"));
  const auto frames = (BootClock::now() - start) / LiveConsole::shortest_frame + 2;
  watched.close();
  CHECK(count(watched.bytes, "\x1b[?7l") <= static_cast<std::size_t>(frames));
}

TEST_CASE("a terminal that is not read delays neither the run nor its end, and fills nothing") {
  Watched watched;
  const Instant start = BootClock::now();
  watched.tell(event::StageStarted{}, copy_of("web-1"));
  for (int i = 0; i < 150; ++i) // 9 MB
    watched.console->say(std::string(60'000, 'x'));
  watched.tell(event::RunFinished{});
  watched.console->finish(BootClock::now() + 50ms);
  CHECK(BootClock::now() - start < 30s); // seconds of work under a sanitizer
  watched.reading().reset(); // hung up
  watched.console.reset();
  CHECK(BootClock::now() - start < 40s);
}

TEST_CASE("a console is live only on a terminal, and only where it was asked for") {
  const bool terminal = GENERATE(false, true), live = GENERATE(false, true);
  UniqueFd reading, writing;
  if (terminal) {
    reading = UniqueFd(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    REQUIRE((reading && ::grantpt(reading.get()) == 0 && ::unlockpt(reading.get()) == 0));
    writing = UniqueFd(::open(::ptsname(reading.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    const winsize window{24, 80, 0, 0};
    REQUIRE(::ioctl(reading.get(), TIOCSWINSZ, &window) == 0);
  } else {
    std::tie(reading, writing) = make_pipe();
  }
  {
    const auto console = make_console_reporter(open_output("fd:" + std::to_string(writing.get())),
                                               ConsoleOptions{live, true});
    console->report(sample(plan_of({"web-1"})), event::RunState{});
    console->report(sample(event::StageStarted{}, copy_of("web-1")), event::RunState{});
    event::RunState planned = folded({sample(plan_of({"web-1"}))});
    console->report(sample(node_end(Outcome::error, "unreachable"), {"web-1", "", {}, 0}), planned);
    console->finish(BootClock::now() + 20s);
  }
  std::array<char, 4096> buffer{};
  REQUIRE(wait_readable(reading.get(), Wait::at_most(20s)) == Ready::yes);
  const ssize_t size = ::read(reading.get(), buffer.data(), buffer.size());
  REQUIRE(size > 0);
  const std::string_view text(buffer.data(), static_cast<std::size_t>(size));
  CHECK((text.find('\x1b') != std::string_view::npos) == (terminal && live));
}
