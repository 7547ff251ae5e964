// SPDX-License-Identifier: Apache-2.0
#include "reporters/jsonl.h"

#include "engine/base/error.h"
#include "engine/event/event_json.h"
#include "tests/catch.h"
#include "tests/unit/reporters/sample_events.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace belay;
using namespace belay::reporters;
using namespace std::chrono_literals;

namespace {

const event::RunState no_state;

event::Event queued(std::uint64_t sequence) {
  return test::sample(event::NodeQueued{}, {"web-1", "", {}, 0}, "", sequence);
}

event::Event long_one() {
  return test::sample(event::LogLine{"nix", std::string(60'000, 'x'), {}, true});
}

ErrorKind kind_of_failure(const std::string& target) {
  try {
    JsonlReporter reporter(target);
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::internal;
}

std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t size = 0; (size = ::read(fd, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(size));
  return text;
}

std::string fd_name(const UniqueFd& fd) {
  return "fd:" + std::to_string(fd.get());
}

} // namespace

TEST_CASE("a file has each line as soon as it was reported") {
  const TemporaryDirectory folder("/tmp/belay-jsonl-");
  const auto path = folder.path() / "deep/er/events.jsonl";
  JsonlReporter reporter(path.string());
  CHECK(read_file(path, 1 << 20).empty());
  reporter.report(queued(1), no_state);
  CHECK(read_file(path, 1 << 20) == event::to_json_line(queued(1)) + "\n");
  reporter.report(queued(2), no_state);
  reporter.finish(BootClock::now());
  CHECK(read_file(path, 1 << 20) ==
        event::to_json_line(queued(1)) + "\n" + event::to_json_line(queued(2)) + "\n");
}

TEST_CASE("an output that cannot be written is a usage error before the run") {
  const TemporaryDirectory folder("/tmp/belay-jsonl-");
  CHECK(kind_of_failure(folder.path().string()) == ErrorKind::usage);
  CHECK(kind_of_failure("/dev/null/x/events.jsonl") == ErrorKind::usage);
  CHECK(kind_of_failure("fd:") == ErrorKind::usage);
  CHECK(kind_of_failure("fd:x") == ErrorKind::usage);
  CHECK(kind_of_failure("fd:9999") == ErrorKind::usage);
  UniqueFd read_only(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  CHECK(kind_of_failure(fd_name(read_only)) == ErrorKind::usage);
}

TEST_CASE("a full disk is an error at once") {
  JsonlReporter reporter("/dev/full");
  try {
    reporter.report(queued(1), no_state);
    reporter.finish(BootClock::now() + 5s);
    FAIL("nobody noticed");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::system);
  }
}

TEST_CASE("a pipe gets every line") {
  auto [reading, writing] = make_pipe();
  std::string text;
  std::thread reader([&text, fd = reading.get()] { text = read_all(fd); });
  {
    JsonlReporter reporter(fd_name(writing));
    writing.reset();
    for (std::uint64_t i = 1; i <= 200; ++i)
      reporter.report(queued(i), no_state);
    reporter.report(long_one(), no_state);
    reporter.finish(BootClock::now() + 20s);
  }
  reader.join();
  CHECK(std::count(text.begin(), text.end(), '\n') == 201);
  CHECK(text.ends_with(event::to_json_line(long_one()) + "\n"));
}

TEST_CASE("a reader that went away is an error and no signal") {
  auto [reading, writing] = make_pipe();
  JsonlReporter reporter(fd_name(writing));
  reading.reset();
  reporter.report(queued(1), no_state);
  CHECK_THROWS_AS(reporter.finish(BootClock::now() + 20s), Error);
  CHECK_THROWS_AS(reporter.report(queued(2), no_state), Error);
}

TEST_CASE("a reader that does not read costs its report and not the run") {
  auto [reading, writing] = make_pipe();
  const Instant start = BootClock::now();
  {
    JsonlReporter reporter(fd_name(writing));
    bool refused = false;
    for (int i = 0; i < 1000 && !refused; ++i)
      try {
        reporter.report(long_one(), no_state);
      } catch (const Error&) {
        refused = true;
      }
    CHECK(refused);
    CHECK_THROWS_AS(reporter.finish(BootClock::now() + 50ms), Error);
  } // and the thread that waits for the reader ends
  CHECK(BootClock::now() - start < 20s);
}

TEST_CASE("a FIFO waits for its reader") {
  const TemporaryDirectory folder("/tmp/belay-jsonl-");
  const std::string path = (folder.path() / "fifo").string();
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  std::string text;
  std::thread reader([&] {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    text = read_all(fd.get());
  });
  {
    JsonlReporter reporter(path);
    reporter.report(queued(1), no_state);
    reporter.finish(BootClock::now() + 20s);
  }
  reader.join();
  CHECK(text == event::to_json_line(queued(1)) + "\n");
}
