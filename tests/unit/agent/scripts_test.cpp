// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/posix_scripts.h"

#include "engine/base/text.h"
#include "tests/catch.h"
#include "tests/unit/agent/script_case.h"

#include <csignal>
#include <fstream>
#include <sys/stat.h>

// How a script is run, and what is known of it when it has ended by itself.

using namespace belay::agent;
using belay::agent::test::alive;
using belay::agent::test::pid_in;
using Case = belay::agent::test::ScriptCase;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

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

TEST_CASE("scripts: a generation without a script has none, one that is gone cannot be started") {
  Case c;
  const auto call = c.call(20s, ScriptCall::Kind::rollback);
  CHECK(c.run(call).end == ScriptResult::End::none);
  fs::remove_all(c.generation);
  const auto result = c.run(call);
  CHECK(result.end == ScriptResult::End::unstarted);
  CHECK(result.message.find(c.generation.string()) != std::string::npos);
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

TEST_CASE("scripts: one whose output cannot be opened is not begun") {
  Case c;
  fs::create_directories(c.files.output(0)); // a folder cannot be written to
  c.script("touch '" + (c.folder.path() / "ran").string() + "'");
  const auto result = c.run(c.call());
  CHECK(result.end == ScriptResult::End::unstarted);
  CHECK(result.emptied);
  CHECK_FALSE(fs::exists(c.folder.path() / "ran"));
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
