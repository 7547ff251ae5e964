// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/posix_scripts.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "tests/catch.h"
#include "tests/unit/agent/script_case.h"

#include <algorithm>
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

// How a script is stopped with all that it began, and with nothing else.

using namespace belay::agent;
using belay::agent::test::alive;
using belay::agent::test::pid_in;
using Case = belay::agent::test::ScriptCase;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

TEST_CASE("scripts: at the deadline all of it is stopped, whatever it did to get away") {
  Case c;
  const auto pid_file = c.folder.path() / "pid";
  SECTION("a child that ignores TERM and is in a session of its own") {
    c.script("setsid sh -c 'trap \"\" TERM; echo $$ > \"" + pid_file.string() +
             "\"; while :; do sleep 1; done' & wait");
  }
  SECTION("a grandchild that lost its parent, with other output and without our mark") {
    c.script("(env -i /bin/sh -c 'trap \"\" TERM; echo $$ >\"" + pid_file.string() +
             "\"; exec >/dev/null 2>&1; while :; do sleep 1; done' &) ; while :; do sleep 1; done");
  }
  const auto result = c.run(c.call(600ms));
  CHECK(result.end == ScriptResult::End::timed_out);
  CHECK(result.emptied);
  CHECK_FALSE(alive(pid_in(pid_file)));
}

TEST_CASE("scripts: at the deadline each process of it is asked to end before any is killed") {
  Case c;
  c.options.term_grace = 60s; // who complies is not kept waiting
  const auto said = (c.folder.path() / "said").string();
  const auto pid_file = c.folder.path() / "pid";
  const auto obedient = [&](const std::string& name) {
    return "trap 'echo " + name + " >>\"" + said + "\"; exit 1' TERM; ";
  };
  c.script(obedient("child") + "echo $$ >'" + pid_file.string() + "'\nwhile :; do sleep 0.1; done",
           "child");
  c.script(obedient("script") + "setsid ./child & while :; do sleep 0.1; done");
  const auto begin = belay::BootClock::now();
  const auto result = c.run(c.call(2s));
  CHECK(result.end == ScriptResult::End::timed_out);
  CHECK(result.emptied);
  CHECK(belay::BootClock::now() - begin < 30s);
  auto words = belay::split_white_space(belay::read_file(said, 1024));
  std::sort(words.begin(), words.end());
  CHECK(words == std::vector<std::string>{"child", "script"});
  CHECK_FALSE(alive(pid_in(pid_file)));
}

TEST_CASE("scripts: who does not comply is killed when its time is over, and not before") {
  Case c;
  c.options.term_grace = 1s;
  const auto pid_file = c.folder.path() / "pid";
  c.script("trap 'echo asked' TERM; echo $$ >'" + pid_file.string() +
           "'; while :; do sleep 0.1; done");
  const auto result = c.run(c.call(1s));
  CHECK(result.end == ScriptResult::End::timed_out);
  CHECK(result.emptied);
  CHECK(result.duration >= 2s);
  CHECK(c.output().find("asked\n") != std::string::npos);
  CHECK_FALSE(alive(pid_in(pid_file)));
}

TEST_CASE("scripts: the deadline does not touch what an earlier script left behind") {
  Case c;
  const auto pid_file = (c.folder.path() / "pid").string();
  SECTION("with our mark") {
    c.script("sleep 300 & echo $! > '" + pid_file + "'");
  }
  SECTION("without") {
    c.script("env -i sleep 300 & echo $! > '" + pid_file + "'");
  }
  PosixScripts scripts(c.files, c.environment, c.containment, c.options);
  REQUIRE(scripts.run(c.call()).succeeded());
  const auto daemon = pid_in(c.folder.path() / "pid");
  c.script("sleep 300");
  CHECK(scripts.run(c.call(100ms)).end == ScriptResult::End::timed_out);
  CHECK(alive(daemon));
  kill(daemon, SIGKILL);
}

TEST_CASE("scripts: what a keeper that died has left running is found and stopped") {
  Case c;
  const auto pid_file = c.folder.path() / "pid";
  c.script("trap '' TERM; env -i sh -c 'trap \"\" TERM; echo $$ > \"" + pid_file.string() +
           "\"; while :; do sleep 1; done'; sleep 300");
  const pid_t keeper = fork();
  if (keeper == 0) {
    PosixScripts(c.files, c.environment, c.containment, c.options).run(c.call());
    _exit(0);
  }
  const auto pid = pid_in(pid_file);
  kill(keeper, SIGKILL);
  waitpid(keeper, nullptr, 0);
  REQUIRE(alive(pid));
  PosixScripts successor(c.files, c.environment, c.containment, c.options);
  CHECK(successor.stop_leftovers(c.call(1s, ScriptCall::Kind::rollback))); // none of that kind
  CHECK(alive(pid));
  CHECK(successor.stop_leftovers(c.call()));
  CHECK_FALSE(alive(pid));
}

TEST_CASE("scripts: one that cannot be watched is stopped, not left to itself") {
  Case c;
  const auto pid_file = c.folder.path() / "pid";
  c.script("echo $$ > '" + pid_file.string() + "'; sleep 300");
  c.options.on_tick = [&] {
    if (fs::exists(pid_file) && !belay::read_file(pid_file, 100).empty()) {
      throw belay::Error(belay::ErrorKind::system, "too many open files");
    }
  };
  const auto result = c.run(c.call());
  CHECK(result.end == ScriptResult::End::lost);
  CHECK(result.emptied);
  CHECK(result.message == "too many open files");
  const auto pid = pid_in(pid_file);
  CHECK_FALSE(alive(pid));
  kill(pid, SIGKILL);
}
