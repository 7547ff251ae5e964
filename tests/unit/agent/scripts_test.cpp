// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/posix_scripts.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "tests/catch.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace belay::agent;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// A generation with a script, and a transaction's folder to run it in.
struct Case {
  belay::TemporaryDirectory folder{"/tmp/belay-scripts-"};
  TransactionFiles files{folder.path(), "0123456789abcdef"};
  fs::path generation = folder.path() / "generation";
  SessionContainment containment;
  PosixScripts::Options options{.term_grace = 300ms};
  std::map<std::string, std::string> environment = {{"PATH", "/usr/bin:/bin"}, {"HOME", "/tmp"}};

  Case() {
    fs::create_directories(files.profile(0));
    fs::create_directories(generation / "bin");
  }
  void script(const std::string& text, const std::string& name = "deploy-rs-activate") {
    std::ofstream(generation / name) << "#!/bin/sh\n" << text << "\n";
    chmod((generation / name).c_str(), 0755);
  }
  ScriptCall call(belay::Duration limit = 20s,
                  ScriptCall::Kind kind = ScriptCall::Kind::activation) const {
    return {.kind = kind,
            .profile = 0,
            .generation = generation.string(),
            .profile_path = generation.string(),
            .limit = limit};
  }
  ScriptResult run(const ScriptCall& what) {
    PosixScripts scripts(files, environment, containment, options);
    return scripts.run(what);
  }
  std::string output() const { return belay::read_file(files.output(0), 1 << 26); }
};

bool alive(pid_t pid) {
  for (const auto& process : list_processes()) {
    if (process.pid == pid) {
      return !process.dead;
    }
  }
  return false;
}

pid_t pid_in(const fs::path& file) {
  const auto wait = belay::Wait::at_most(10s);
  while (!wait.expired()) {
    if (fs::exists(file)) {
      const auto text = belay::read_file(file, 100);
      if (text.ends_with('\n')) {
        return std::stoi(text);
      }
    }
    std::this_thread::yield();
  }
  FAIL("no pid in " << file);
  return 0;
}

} // namespace

TEST_CASE("scripts: as deploy-rs runs them") {
  Case c;
  c.script("echo \"$PWD|$PROFILE|$DRY_ACTIVATE|$BOOT|$HOME|$0\"; cat; exit 4");
  c.environment["BOOT"] = "stale";
  SECTION("on activation") {
    const auto result = c.run(c.call());
    CHECK(result.end == ScriptResult::End::exited);
    CHECK(result.exit_status == 4);
    const auto generation = c.generation.string();
    CHECK(c.output() ==
          generation + "|" + generation + "|0|0|/tmp|" + generation + "/deploy-rs-activate\n");
    CHECK(result.tail == c.output());
  }
  SECTION("to be booted") {
    c.run(c.call(20s, ScriptCall::Kind::boot));
    CHECK(c.output().find("|0|1|/tmp|") != std::string::npos);
  }
  SECTION("on rollback") {
    c.run(c.call(20s, ScriptCall::Kind::rollback));
    CHECK(c.output().find("|||/tmp|") != std::string::npos);
  }
  SECTION("on a dry run") {
    c.run(c.call(20s, ScriptCall::Kind::dry));
    CHECK(c.output().find("|1|0|/tmp|") != std::string::npos);
  }
  SECTION("to be the boot default again") {
    c.run(c.call(20s, ScriptCall::Kind::boot_back));
    CHECK(c.output().find("|0|1|/tmp|") != std::string::npos);
  }
}

TEST_CASE("scripts: what a generation has is run, in this order") {
  Case c;
  const auto ran = [&](ScriptCall::Kind kind) {
    std::ofstream(c.files.output(0), std::ios::trunc);
    const auto result = c.run(c.call(20s, kind));
    return result.end == ScriptResult::End::none ? "none" : std::string(belay::trim(c.output()));
  };
  CHECK(ran(ScriptCall::Kind::rollback) == "none");
  c.script("echo activate $1", "activate");
  CHECK(ran(ScriptCall::Kind::rollback) == "activate");
  CHECK(ran(ScriptCall::Kind::activation) == "none");
  c.script("echo switch-to-configuration $1", "bin/switch-to-configuration");
  CHECK(ran(ScriptCall::Kind::rollback) == "switch-to-configuration switch");
  CHECK(ran(ScriptCall::Kind::activation) == "switch-to-configuration switch");
  CHECK(ran(ScriptCall::Kind::trial) == "switch-to-configuration test");
  CHECK(ran(ScriptCall::Kind::boot) == "switch-to-configuration boot");
  CHECK(ran(ScriptCall::Kind::boot_back) == "switch-to-configuration boot");
  CHECK(ran(ScriptCall::Kind::dry) == "switch-to-configuration dry-activate");
  c.script("echo deploy-rs-activate $1 $DRY_ACTIVATE_NOT $REBOOT");
  CHECK(ran(ScriptCall::Kind::boot) == "switch-to-configuration boot"); // it would activate
  CHECK(ran(ScriptCall::Kind::boot_back) == "switch-to-configuration boot");
  CHECK(ran(ScriptCall::Kind::dry) == "switch-to-configuration dry-activate");
  c.script("echo deploy-rs-activate $1 # DRY_ACTIVATE BOOT");
  CHECK(ran(ScriptCall::Kind::dry) == "deploy-rs-activate");
  CHECK(ran(ScriptCall::Kind::boot_back) == "deploy-rs-activate");
  CHECK(ran(ScriptCall::Kind::activation) == "deploy-rs-activate");
  CHECK(ran(ScriptCall::Kind::trial) == "switch-to-configuration test"); // the other one switches
  CHECK(ran(ScriptCall::Kind::boot) == "deploy-rs-activate");
  fs::remove(c.generation / "bin/switch-to-configuration");
  CHECK(ran(ScriptCall::Kind::trial) == "none");
  c.script("echo deploy-rs-activate before 2021-04");
  CHECK(ran(ScriptCall::Kind::dry) == "none");
  CHECK(ran(ScriptCall::Kind::boot) == "none");
}

TEST_CASE("scripts: one that cannot be started, one that is killed") {
  Case c;
  c.script("kill -9 $$");
  auto result = c.run(c.call());
  CHECK(result.end == ScriptResult::End::signalled);
  CHECK(result.signal == "SIGKILL");
  std::ofstream(c.generation / "deploy-rs-activate") << "#!/no/such/shell\n";
  result = c.run(c.call());
  CHECK(result.end == ScriptResult::End::unstarted);
  CHECK_FALSE(result.succeeded());
  CHECK_FALSE(result.message.empty());
}

TEST_CASE("scripts: the script's own exit decides; a child that it leaves behind goes on") {
  Case c;
  c.script("sleep 300 & echo $! > '" + (c.folder.path() / "pid").string() + "'; exit 0");
  const auto begin = belay::BootClock::now();
  const auto result = c.run(c.call());
  CHECK(result.succeeded());
  CHECK(belay::BootClock::now() - begin < 10s);
  const auto pid = pid_in(c.folder.path() / "pid");
  CHECK(alive(pid));
  kill(pid, SIGKILL);
}

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

TEST_CASE("scripts: one whose output cannot be opened is not begun") {
  Case c;
  fs::create_directories(c.files.output(0)); // a folder cannot be written to
  c.script("touch '" + (c.folder.path() / "ran").string() + "'");
  const auto result = c.run(c.call());
  CHECK(result.end == ScriptResult::End::unstarted);
  CHECK(result.emptied);
  CHECK_FALSE(fs::exists(c.folder.path() / "ran"));
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

TEST_CASE("scripts: megabytes of output stay a few on the disk") {
  Case c;
  c.options.output_cap = 256 * 1024;
  c.script("head -c 30000000 /dev/zero | tr '\\0' 'x'; echo; echo the end");
  const auto result = c.run(c.call(60s));
  CHECK(result.succeeded());
  CHECK(result.tail.ends_with("the end\n"));
  struct stat facts {};
  REQUIRE(stat(c.files.output(0).c_str(), &facts) == 0);
  CHECK(facts.st_blocks * 512 < 2'000'000);
}

TEST_CASE("scripts: one that closes its output is awaited all the same") {
  Case c;
  c.script("exec >&- 2>&-; sleep 0.3; exit 7");
  CHECK(c.run(c.call()).exit_status == 7);
}

TEST_CASE("scripts: requests are listened to while one runs") {
  Case c;
  int ticks = 0;
  c.options.on_tick = [&] { ++ticks; };
  c.script("sleep 0.5");
  c.run(c.call());
  CHECK(ticks > 5);
}

TEST_CASE("process tree: names with blanks and parentheses") {
  const auto facts = parse_process_stat(
      "4242 (a) b (c) S 17 4242 4200 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2");
  CHECK(facts.pid == 4242);
  CHECK(facts.parent == 17);
  CHECK(facts.session == 4200);
  CHECK(facts.start == 987654);
  CHECK_FALSE(facts.dead);
  CHECK(parse_process_stat("garbage").pid == 0);
  CHECK(parse_process_stat("1 (x) S 1").pid == 0);
}
