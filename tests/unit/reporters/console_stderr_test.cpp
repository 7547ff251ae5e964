// SPDX-License-Identifier: Apache-2.0
#include "engine/base/cancel.h"
#include "engine/base/file.h"
#include "reporters/console.h"
#include "tests/catch.h"
#include "tests/unit/reporters/sample_events.h"

#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>

using namespace belay;
using namespace belay::reporters;
using namespace belay::test;
using namespace std::chrono_literals;

namespace {

const event::RunState no_state;

OutputTarget target_of(const UniqueFd& fd) {
  return open_output("fd:" + std::to_string(fd.get()));
}

/// One line: " warning: web-1/system: TEXT".
void warn(Reporter& console, const std::string& text) {
  console.report(sample(event::StageRetrying{1, 3, {}, "unreachable"},
                        {"web-1", "system", event::Stage::copy, 0}, text),
                 no_state);
}

std::string read_to_end(int fd) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t size = 0; (size = ::read(fd, buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(size));
  return text;
}

/// Reads nothing for ten seconds, unless it is told to; then everything, so that what waits for it
/// makes a test fail and not hang.
class StuckReader {
public:
  explicit StuckReader(UniqueFd fd)
      : thread_([fd = std::move(fd), wake = wake_.token()] {
          if (wait_readable(wake.poll_fd(), Wait::at_most(10s)) == Ready::deadline)
            read_to_end(fd.get());
        }) {}
  ~StuckReader() {
    wake_.cancel();
    thread_.join();
  }

private:
  CancelSource wake_;
  std::thread thread_;
};

class RedirectedStderr {
public:
  explicit RedirectedStderr(const std::filesystem::path& path)
      : before_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(::dup2(file.get(), STDERR_FILENO) == STDERR_FILENO);
  }
  RedirectedStderr(const RedirectedStderr&) = delete;
  RedirectedStderr& operator=(const RedirectedStderr&) = delete;
  ~RedirectedStderr() { ::dup2(before_.get(), STDERR_FILENO); }

private:
  UniqueFd before_;
};

std::pair<UniqueFd, UniqueFd> make_terminal() {
  UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  REQUIRE(master);
  REQUIRE(::grantpt(master.get()) == 0);
  REQUIRE(::unlockpt(master.get()) == 0);
  UniqueFd terminal(::open(::ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  REQUIRE(terminal);
  return {std::move(master), std::move(terminal)};
}

} // namespace

TEST_CASE("a stderr that nobody reads delays neither the run nor its end") {
  auto [reading, writing] = GENERATE(0, 1) == 0 ? make_pipe() : make_terminal();
  const StuckReader reader(std::move(reading));
  const Instant start = BootClock::now();
  {
    const auto console = make_console_reporter(target_of(writing));
    writing.reset();
    for (int i = 0; i < 3000; ++i)
      warn(*console, std::string(100, 'x'));
    CHECK(BootClock::now() - start < 5s);
    console->report(sample(event::RunFinished{}), no_state);
    console->finish(BootClock::now() + 50ms); // and no error: there is nowhere to tell it
    warn(*console, "late");
  } // and the thread that waits for the reader ends
  CHECK(BootClock::now() - start < 8s);
}

TEST_CASE("what is never read is dropped when it is too much, and is no error") {
  auto [reading, writing] = make_pipe();
  const auto console = make_console_reporter(target_of(writing));
  const TemporaryDirectory folder("/tmp/belay-console-");
  const auto path = folder.path() / "stderr";
  {
    const RedirectedStderr redirected(path); // which would be the stuck one itself
    for (int i = 0; i < 200; ++i) // 12 MB; of warnings the console shows the beginning only
      console->report(sample(event::DiagnosticFound{}, {}, std::string(60'000, 'x')), no_state);
    console->finish(BootClock::now());
  }
  CHECK(read_file(path, 1 << 20).empty());
}

TEST_CASE("a stderr that is read gets every line in order, whether finish was called or not") {
  const int number = 5000;
  const bool with_finish = GENERATE(0, 1) == 1;
  auto [reading, writing] = make_pipe();
  std::string text;
  CancelSource all_told; // more than the pipe holds is still queued then
  std::thread reader([&text, fd = reading.get(), go = all_told.token()] {
    wait_readable(go.poll_fd(), Wait::at_most(20s));
    text = read_to_end(fd);
  });
  {
    const auto console = make_console_reporter(target_of(writing));
    writing.reset();
    for (int i = 0; i < number; ++i)
      warn(*console, "line " + std::to_string(i));
    all_told.cancel();
    if (with_finish)
      console->finish(BootClock::now() + 20s);
  }
  reader.join();
  std::string expected;
  for (int i = 0; i < number; ++i)
    expected += " warning: web-1/system: line " + std::to_string(i) + "\n";
  CHECK(text.size() == expected.size());
  CHECK((text == expected));
}

TEST_CASE("a stderr whose reader went away is no error and no signal") {
  auto [reading, writing] = make_pipe();
  const auto console = make_console_reporter(target_of(writing));
  reading.reset();
  for (int i = 0; i < 10; ++i)
    warn(*console, "gone");
  console->finish(BootClock::now() + 20s);
  warn(*console, "still gone");
}
