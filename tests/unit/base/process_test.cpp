// SPDX-License-Identifier: Apache-2.0
#include "engine/base/process.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tests/catch.h"

#include <csignal>
#include <thread>

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
