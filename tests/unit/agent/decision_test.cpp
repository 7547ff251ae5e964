// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/decision.h"

#include "engine/base/file.h"
#include "tests/catch.h"

#include <atomic>
#include <csignal>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace belay::agent;

namespace {

struct Folder {
  // In memory where there is such a place: the race is the same, without a disk's fsync.
  belay::TemporaryDirectory folder{(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") +
                                   std::string("/belay-decision-")};
  DecisionFiles files{folder.path()};
};

} // namespace

TEST_CASE("decision: nothing is decided before it is offered") {
  Folder f;
  f.files.create(0);
  CHECK_FALSE(f.files.decide(0, Verdict::confirmed));
  CHECK_FALSE(f.files.read(0));
  f.files.offer(0);
  CHECK_FALSE(f.files.read(0));
  CHECK(f.files.decide(0, Verdict::confirmed) == Verdict::confirmed);
  CHECK(f.files.decide(0, Verdict::expired) == Verdict::confirmed);
  f.files.offer(0); // again, by a keeper that was started again
  CHECK(f.files.decide(0, Verdict::expired) == Verdict::confirmed);
}

TEST_CASE("decision: profiles are decided each by itself") {
  Folder f;
  for (std::size_t i : {0U, 1U}) {
    f.files.create(i);
    f.files.offer(i);
  }
  CHECK(f.files.decide(1, Verdict::expired) == Verdict::expired);
  CHECK_FALSE(f.files.read(0));
}

TEST_CASE("decision: of two processes that race exactly one wins, and both know which") {
  // One process per side, started together by a pipe that is closed; each writes what it was told.
  int wins[2] = {0, 0};
  Folder f;
  for (std::size_t round = 0; round < 1000; ++round) {
    f.files.create(round);
    f.files.offer(round);
    auto [start_read, start_write] = belay::make_pipe();
    auto [told_read, told_write] = belay::make_pipe();
    pid_t pids[2];
    for (int side = 0; side < 2; ++side) {
      pids[side] = fork();
      if (pids[side] == 0) {
        char byte = 0;
        close(start_write.get());
        [[maybe_unused]] auto ignored = read(start_read.get(), &byte, 1);
        const auto verdict =
            f.files.decide(round, side == 0 ? Verdict::confirmed : Verdict::expired);
        byte = !verdict ? '?' : *verdict == Verdict::confirmed ? 'c' : 'e';
        ignored = write(told_write.get(), &byte, 1);
        _exit(0);
      }
    }
    start_write.reset();
    char told[2] = {};
    for (auto& byte : told) {
      REQUIRE(read(told_read.get(), &byte, 1) == 1);
    }
    for (const auto pid : pids) {
      waitpid(pid, nullptr, 0);
    }
    REQUIRE(told[0] == told[1]);
    REQUIRE((told[0] == 'c' || told[0] == 'e'));
    CHECK(f.files.read(round) == (told[0] == 'c' ? Verdict::confirmed : Verdict::expired));
    ++wins[told[0] == 'c' ? 0 : 1];
  }
  CHECK(wins[0] + wins[1] == 1000);
}

TEST_CASE("decision: of two threads that race exactly one wins") {
  Folder f;
  for (std::size_t round = 0; round < 1000; ++round) {
    f.files.create(round);
    f.files.offer(round);
    std::atomic<int> ready = 0;
    std::optional<Verdict> told[2];
    const auto side = [&](int index, Verdict verdict) {
      ++ready;
      while (ready < 2) {
        std::this_thread::yield();
      }
      told[index] = f.files.decide(round, verdict);
    };
    std::thread other(side, 0, Verdict::confirmed);
    side(1, Verdict::expired);
    other.join();
    REQUIRE(told[0].has_value());
    REQUIRE(told[0] == told[1]);
  }
}
