// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/posix_scripts.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "tests/catch.h"
#include "tests/unit/agent/script_case.h"

#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

// Scripts in the scope of a service manager: one that keeps them together, one that does not
// answer, one that is not there.

using namespace belay::agent;
using belay::agent::test::alive;
using belay::agent::test::pid_in;
using Case = belay::agent::test::ScriptCase;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

TEST_CASE("scripts: a process that is found in two ways is asked once") {
  /// After it come so many that are not there that it has heard the first before the second.
  struct Crowd final : Containment {
    SessionContainment real;
    bool looked = false;
    std::vector<std::string> wrap(const std::string& mark, std::vector<std::string> argv) override {
      return real.wrap(mark, std::move(argv));
    }
    std::vector<pid_t> members(const std::string& mark, bool ours) override {
      constexpr pid_t beyond_all = 4 * 1024 * 1024 + 1; // PID_MAX_LIMIT
      auto pids = real.members(mark, ours);
      for (pid_t i = 0; !looked && i < 200'000; ++i) {
        pids.push_back(beyond_all + i);
      }
      looked = true;
      return pids;
    }
  };
  Case c;
  Crowd crowd;
  c.script("trap 'echo asked' TERM; while :; do sleep 0.01; done");
  PosixScripts scripts(c.files, c.environment, crowd, c.options);
  CHECK(scripts.run(c.call(500ms)).emptied);
  const auto output = c.output(); // some shells say what became of `sleep`, too
  CHECK(output.find("asked\n") != std::string::npos);
  CHECK(output.find("asked\n") == output.rfind("asked\n"));
}

namespace {
/// systemd-run that does not get as far as the script.
struct NoScope final : Containment {
  std::vector<std::string> command;
  explicit NoScope(std::vector<std::string> words) : command(std::move(words)) {}
  std::vector<std::string> wrap(const std::string&, std::vector<std::string>) override {
    return command;
  }
  bool entered(const std::string&) const override { return false; }
  std::vector<pid_t> members(const std::string&, bool) override { return {}; }
};
} // namespace

TEST_CASE("scripts: where no scope can be had the script runs all the same") {
  // The thread sanitizer flushes stdout in a child whose exec failed: nothing of ours may be in it.
  std::fflush(stdout);
  std::cout.flush();
  Case c;
  NoScope scope({GENERATE(values<std::string>({"/bin/false", "/no/such/systemd-run"}))});
  c.script("echo ran");
  PosixScripts scripts(c.files, c.environment, scope, c.options);
  CHECK(scripts.run(c.call()).succeeded());
  CHECK(c.output() == "ran\n");
  c.script("env -i sleep 300 & echo $! > '" + (c.folder.path() / "pid").string() + "'; sleep 300");
  const auto late = scripts.run(c.call(300ms));
  CHECK(late.end == ScriptResult::End::timed_out);
  CHECK(late.emptied);
  const auto pid = pid_in(c.folder.path() / "pid");
  CHECK_FALSE(alive(pid));
  kill(pid, SIGKILL);
}

TEST_CASE("scripts: a scope that does not come in time: only the way back goes on without") {
  Case c;
  NoScope scope({"sleep", "300"});
  c.script("echo ran");
  PosixScripts scripts(c.files, c.environment, scope, c.options);
  CHECK(scripts.run(c.call(100ms)).end == ScriptResult::End::timed_out);
  CHECK(c.output().empty());
  CHECK(scripts.run(c.call(100ms, ScriptCall::Kind::rollback)).succeeded());
  CHECK(c.output() == "ran\n");
}

TEST_CASE("scripts: a look that takes long does not eat the time to comply") {
  struct SlowLook final : Containment {
    std::vector<std::string> wrap(const std::string&, std::vector<std::string> argv) override {
      return argv;
    }
    std::vector<pid_t> members(const std::string&, bool) override {
      std::this_thread::sleep_for(300ms); // as a manager that does not answer
      return {};
    }
  };
  Case c;
  SlowLook slow;
  c.options.term_grace = c.options.kill_grace = 100ms;
  c.script("trap '' TERM; echo $$ > '" + (c.folder.path() / "pid").string() +
           "'; while :; do sleep 1; done");
  PosixScripts scripts(c.files, c.environment, slow, c.options);
  const auto result = scripts.run(c.call(600ms));
  CHECK(result.end == ScriptResult::End::timed_out);
  CHECK(result.emptied);
  const auto pid = pid_in(c.folder.path() / "pid");
  CHECK_FALSE(alive(pid));
  kill(pid, SIGKILL);
}

TEST_CASE("scripts: where the containment cannot look, orphans are searched for") {
  struct Blind final : Containment {
    std::vector<std::string> wrap(const std::string&, std::vector<std::string> argv) override {
      return argv;
    }
    std::vector<pid_t> members(const std::string&, bool) override {
      throw belay::Error(belay::ErrorKind::system, "no answer");
    }
  };
  Case c;
  Blind blind;
  const auto pid_file = c.folder.path() / "pid";
  c.script("(env -i /bin/sh -c 'trap \"\" TERM; echo $$ >\"" + pid_file.string() +
           "\"; exec >/dev/null 2>&1; while :; do sleep 1; done' &) ; while :; do sleep 1; done");
  PosixScripts scripts(c.files, c.environment, blind, c.options);
  const auto result = scripts.run(c.call(600ms));
  CHECK(result.end == ScriptResult::End::timed_out);
  CHECK(result.emptied);
  const auto pid = pid_in(pid_file);
  CHECK_FALSE(alive(pid));
  kill(pid, SIGKILL);
}

namespace {

/// systemd-run's part, on real cgroups.
class RealGroups {
public:
  explicit RealGroups(const fs::path& folder) {
    std::ofstream(folder / "systemd-run")
        << "#!/bin/sh\nfor word; do case $word in --unit=*) unit=${word#--unit=};; esac; done\n"
           "group='"
        << root_.string()
        << "/'$unit; mkdir \"$group\" || exit 1\n"
           "echo \"$group\" >> '"
        << (folder / "groups").string()
        << "'\n"
           "echo $$ > \"$group/cgroup.procs\" || exit 1\n"
           "while [ \"$1\" != -- ]; do shift; done; shift; exec \"$@\"\n";
    chmod((folder / "systemd-run").c_str(), 0755);
    made_ = folder / "groups";
  }
  ~RealGroups() {
    std::ifstream groups(made_);
    for (std::string group; std::getline(groups, group);) {
      for (int round = 0; rmdir(group.c_str()) != 0 && round < 1000; ++round) {
        std::this_thread::sleep_for(5ms); // its dead are being put away
      }
    }
  }
  static bool can_be_had() {
    const auto probe = root_ / ("belay-probe-" + belay::random_hex(4));
    return mkdir(probe.c_str(), 0755) == 0 && rmdir(probe.c_str()) == 0;
  }

private:
  static inline const fs::path root_ =
      fs::exists("/sys/fs/cgroup/systemd") ? "/sys/fs/cgroup/systemd" : "/sys/fs/cgroup";
  fs::path made_;
};

/// No manager answers.
struct NoManager final : belay::ProcessRunner {
  belay::ProcessResult run(const belay::ProcessSpec&, const belay::Wait&) override {
    throw belay::Error(belay::ErrorKind::system, "no manager");
  }
};

} // namespace

TEST_CASE("scripts: a successor finds by its cgroup what has shed everything else") {
  if (!RealGroups::can_be_had()) {
    WARN("no cgroups can be made here: left out");
    return;
  }
  Case c;
  const RealGroups groups(c.folder.path());
  c.environment["PATH"] = c.folder.path().string() + ":/usr/bin:/bin";
  NoManager processes;
  ScopeContainment scope(processes, {.folder = c.files.folder()});
  const auto pid_file = c.folder.path() / "pid";
  c.script("(env -i setsid sh -c 'trap \"\" TERM; echo $$ > \"" + pid_file.string() +
           "\"; while :; do sleep 1; done' &); sleep 300");
  const pid_t keeper = fork();
  if (keeper == 0) {
    PosixScripts(c.files, c.environment, scope, c.options).run(c.call());
    _exit(0);
  }
  const auto pid = pid_in(pid_file);
  kill(keeper, SIGKILL);
  waitpid(keeper, nullptr, 0);
  REQUIRE(alive(pid));
  PosixScripts successor(c.files, c.environment, scope, c.options);
  CHECK(successor.stop_leftovers(c.call()));
  CHECK_FALSE(alive(pid));
  kill(pid, SIGKILL);
}
