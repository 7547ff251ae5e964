// SPDX-License-Identifier: Apache-2.0
#include "engine/base/process.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tests/catch.h"

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using belay::CancelSource;
using belay::Error;
using belay::PosixProcessRunner;
using belay::ProcessResult;
using belay::ProcessSpec;
using belay::Wait;
using namespace std::chrono_literals;

namespace {

ProcessResult shell(const std::string& script, Wait wait = Wait::at_most(20s)) {
  ProcessSpec spec;
  spec.argv = {"sh", "-c", script};
  spec.term_grace = 200ms;
  return PosixProcessRunner().run(spec, wait);
}

} // namespace

TEST_CASE("a process's status, streams and signal are told apart") {
  const auto result = shell("echo out; echo err >&2; exit 4");
  CHECK(result.end == ProcessResult::End::exited);
  CHECK(result.status == 4);
  CHECK(result.out == "out\n");
  CHECK(result.err == "err\n");
  CHECK(result.describe() == "exited with 4");
  const auto killed = shell("kill -9 $$");
  CHECK(killed.end == ProcessResult::End::signalled);
  CHECK(killed.describe() == "was killed by SIGKILL");
}

TEST_CASE("a program that does not exist is an error that names it") {
  ProcessSpec spec;
  spec.argv = {"belay-no-such-program"};
  CHECK_THROWS_WITH(PosixProcessRunner().run(spec, Wait::at_most(5s)),
                    Catch::Matchers::Contains("belay-no-such-program"));
}

TEST_CASE("input is fed, also more than a pipe holds, also to one who does not read it") {
  ProcessSpec spec;
  spec.argv = {"wc", "-c"};
  spec.input = std::string(1 << 20, 'x');
  CHECK(PosixProcessRunner().run(spec, Wait::at_most(20s)).out == "1048576\n");
  spec.argv = {"true"};
  CHECK(PosixProcessRunner().run(spec, Wait::at_most(20s)).succeeded());
}

TEST_CASE("only the tail of long output is kept and every line is told") {
  ProcessSpec spec;
  spec.argv = {"sh", "-c",
               "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; printf end"};
  spec.output_cap = 1000;
  std::size_t lines = 0;
  std::string last;
  spec.on_stdout_line = [&](std::string_view line) {
    ++lines;
    last = line;
  };
  const auto result = PosixProcessRunner().run(spec, Wait::at_most(30s));
  CHECK(result.out.size() == 1000);
  CHECK(result.out.ends_with("line 19999\nend"));
  CHECK(result.truncated);
  CHECK(lines == 20001);
  CHECK(last == "end");
}

TEST_CASE("a hundred megabytes of output cost no more memory than what is kept") {
  const auto peak = [] {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    return used.ru_maxrss; // KiB
  };
  const auto before = peak();
  ProcessSpec spec;
  spec.argv = {"head", "-c", "100M", "/dev/zero"};
  spec.output_cap = 64 * 1024;
  const auto result = PosixProcessRunner().run(spec, Wait::at_most(60s));
  CHECK(result.succeeded());
  CHECK(result.out.size() == spec.output_cap);
  CHECK(result.truncated);
  CHECK(peak() - before < 16 * 1024);
}

TEST_CASE("the deadline stops the whole group, also where TERM is ignored") {
  const auto start = belay::BootClock::now();
  const auto result = shell("trap '' TERM; sleep 100 & wait; sleep 100", Wait::at_most(200ms));
  CHECK(result.end == ProcessResult::End::timed_out);
  CHECK(belay::BootClock::now() - start < 10s);
}

TEST_CASE("cancelling stops a process at once") {
  CancelSource source;
  std::thread canceller([&] { source.cancel(); });
  const auto result = shell("sleep 100", Wait::at_most(60s, source.token()));
  canceller.join();
  CHECK(result.end == ProcessResult::End::cancelled);
}

TEST_CASE("a grandchild that keeps the pipes does not keep us") {
  const auto start = belay::BootClock::now();
  const auto result = shell("sleep 3 & echo started");
  CHECK(result.out == "started\n");
  CHECK(belay::BootClock::now() - start < 2s);
}

TEST_CASE("environment entries are set and unset, and the folder is changed") {
  setenv("BELAY_TEST_UNSET", "there", 1);
  ProcessSpec spec;
  spec.argv = {"sh", "-c", "echo \"$BELAY_TEST_SET:${BELAY_TEST_UNSET-gone}\"; pwd"};
  spec.environment = {{"BELAY_TEST_SET", "a b"}, {"BELAY_TEST_UNSET", std::nullopt}};
  spec.directory = "/";
  CHECK(PosixProcessRunner().run(spec, Wait::at_most(20s)).out == "a b:gone\n/\n");
}

#ifdef __linux__
TEST_CASE("a process that dies with its parent does, however the parent ends") {
  belay::TemporaryDirectory folder("/tmp/belay-process-");
  const auto fifo = (folder.path() / "fifo").string();
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  const pid_t parent = fork();
  if (parent == 0) {
    ProcessSpec spec;
    spec.argv = {"sh", "-c", "exec >\"$0\"; echo here; exec sleep 60", fifo};
    spec.dies_with_parent = true;
    PosixProcessRunner().run(spec, Wait::at_most(60s));
    _exit(0);
  }
  const belay::UniqueFd reading(open(fifo.c_str(), O_RDONLY | O_CLOEXEC)); // waits for a writer
  char text[8];
  REQUIRE(read(reading.get(), text, sizeof text) == 5);
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  pollfd end{reading.get(), POLLIN, 0};
  REQUIRE(poll(&end, 1, 20000) == 1); // it had the only other end
  CHECK(read(reading.get(), text, sizeof text) == 0);
}
#endif

TEST_CASE("an exit status is not lost where a parent left SIGCHLD ignored") {
  std::signal(SIGCHLD, SIG_IGN);
  const auto result = shell("exit 4");
  std::signal(SIGCHLD, SIG_DFL);
  CHECK(result.status == 4);
}
