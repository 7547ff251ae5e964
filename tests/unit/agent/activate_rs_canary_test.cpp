// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/canary.h"
#include "engine/agent/record.h"
#include "engine/agent/requests.h"
#include "engine/base/file.h"
#include "engine/base/store_path.h"
#include "tests/catch.h"
#include "tests/unit/agent/deploy_rs_world.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

// What confirms by activate-rs: the removal of its canary, not what others put in its place.

using namespace belay::agent;
using belay::ProcessResult;
using belay::agent::test::DeployRs;
using belay::agent::test::exit_status;
using belay::agent::test::left_out;
using std::chrono::seconds;
namespace fs = std::filesystem;

namespace {

/// Whether it is touched again and again, though nobody asks.
bool is_looked_after(const DeployRs& deploy_rs, const std::string& transaction) {
  const RequestQueue requests({deploy_rs.world.state_directory(), transaction});
  const auto before = requests.last_seen(boot_id());
  const auto wait = belay::Wait::at_most(seconds(10));
  while (before && !wait.expired()) {
    if (requests.last_seen(boot_id()) > before) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

} // namespace

TEST_CASE("activate-rs: confirmed by removing the canary, and only by that") {
  if (left_out()) {
    return;
  }
  DeployRs deploy_rs;
  const auto one = deploy_rs.generation("one"), two = deploy_rs.generation("two", "echo loud");
  deploy_rs.deploy(one);
  auto activating = deploy_rs.activate(two, "--magic-rollback");
  REQUIRE(deploy_rs.wait(two).succeeded());
  struct stat facts {};
  REQUIRE(lstat(deploy_rs.canary(two).c_str(), &facts) == 0);
  CHECK(S_ISREG(facts.st_mode));
  CHECK((facts.st_mode & 07777) == 0600);
  CHECK(
      is_looked_after(deploy_rs, *Canary(deploy_rs.temp(), *belay::StorePath::parse(two)).read()));
  fs::remove(deploy_rs.canary(two));
  const auto result = activating.get();
  CHECK(exit_status(result) == 0);
  CHECK(result.out.find("loud") != std::string::npos);
  CHECK(deploy_rs.world.system() == two);

  SECTION("not removed: back to what ran, and the canary is gone") {
    const auto three = deploy_rs.generation("three");
    auto late = deploy_rs.activate(three, "--magic-rollback", 1);
    REQUIRE(deploy_rs.wait(three).succeeded());
    CHECK(exit_status(late.get()) == 1);
    CHECK(deploy_rs.world.system() == two);
    CHECK_FALSE(fs::exists(deploy_rs.canary(three)));
    CHECK(deploy_rs.ran() == "one:0:0 two:0:0 three:0:0 two::");
  }
  SECTION("the unchanged closure that is not confirmed: it stays") {
    CHECK(exit_status(deploy_rs.activate(two, "--magic-rollback", 1).get()) == 1);
    CHECK(deploy_rs.world.system() == two);
  }
  SECTION("a script that fails: back, and nobody waits for ever") {
    const auto three = deploy_rs.generation("three", "exit 4");
    CHECK(exit_status(deploy_rs.activate(three, "--magic-rollback").get()) == 1);
    CHECK(deploy_rs.world.system() == two);
    CHECK(exit_status(deploy_rs.wait(three, 1)) == 1);
  }
  SECTION("without magic rollback nobody has to confirm") {
    const auto three = deploy_rs.generation("three");
    CHECK(exit_status(deploy_rs.activate(three).get()) == 0);
    CHECK(deploy_rs.world.system() == three);
  }
  SECTION("the keeper decides where activate is stopped: the canary's removal counts, or the rm "
          "fails") {
    const auto three = deploy_rs.generation("three");
    auto stopped = deploy_rs.activate(three, "--magic-rollback", 2);
    REQUIRE(deploy_rs.wait(three).succeeded());
    const auto pids = deploy_rs.activating();
    REQUIRE(pids.size() == 1);
    kill(pids.front(), SIGSTOP);
    const bool in_time = GENERATE(true, false);
    if (in_time) {
      CHECK(fs::remove(deploy_rs.canary(three)));
    } else {
      deploy_rs.until_over();
      CHECK_FALSE(fs::remove(deploy_rs.canary(three)));
    }
    deploy_rs.until_over();
    CHECK(deploy_rs.world.system() == (in_time ? three : two));
    kill(pids.front(), SIGCONT);
    CHECK(exit_status(stopped.get()) == (in_time ? 0 : 1));
  }
  SECTION("the keeper decides where activate was killed") {
    const auto three = deploy_rs.generation(
        "three", "kill -9 $(cat " + deploy_rs.world.path("pid").string() + ")");
    CHECK(deploy_rs.world
              .run({"sh", "-c",
                    "echo $$ >" + deploy_rs.world.path("pid").string() + "; exec " +
                        deploy_rs.world.path("activate-rs").string() + " activate " + three + " " +
                        deploy_rs.profile + " --temp-path " + deploy_rs.temp().string() +
                        " --confirm-timeout 1 --magic-rollback --auto-rollback"})
              .end == ProcessResult::End::signalled);
    const auto wait = belay::Wait::at_most(seconds(20));
    while (deploy_rs.world.system() != two) {
      REQUIRE_FALSE(wait.expired());
      std::this_thread::yield();
    }
  }
}

TEST_CASE("activate-rs: what stands at the canary's place already") {
  if (left_out()) {
    return;
  }
  DeployRs deploy_rs;
  const auto one = deploy_rs.generation("one");
  const auto canary = deploy_rs.canary(one);
  SECTION("a stale one is not what wait waits for, and is taken away") {
    std::ofstream(canary) << "";
    CHECK(exit_status(deploy_rs.wait(one, 1)) == 1);
    deploy_rs.deploy(one);
  }
  SECTION("one of a transaction that is over is stale, too") {
    deploy_rs.deploy(one);
    for (const auto& entry : fs::directory_iterator(deploy_rs.world.state_directory())) {
      if (entry.is_directory()) {
        std::ofstream(canary) << entry.path().filename().string() << "\n";
      }
    }
    CHECK(exit_status(deploy_rs.wait(one, 1)) == 1);
  }
  SECTION("a link is not followed") {
    const auto victim = deploy_rs.world.path("victim");
    std::ofstream(victim) << "as it was";
    fs::create_symlink(victim, canary);
    CHECK(exit_status(deploy_rs.wait(one, 1)) == 1);
    deploy_rs.deploy(one);
    CHECK(belay::read_file(victim, 100) == "as it was");
  }
  SECTION("what is planted while the script runs confirms nothing and is not written to") {
    const auto victim = deploy_rs.world.path("victim");
    std::ofstream(victim) << "as it was";
    deploy_rs.deploy(one);
    const auto place = deploy_rs.world.path("place").string();
    const auto two =
        deploy_rs.generation("two", "ln -s " + victim.string() + " \"$(cat " + place + ")\"");
    std::ofstream(place) << deploy_rs.canary(two).string();
    CHECK(exit_status(deploy_rs.activate(two, "--magic-rollback").get()) == 1);
    CHECK(deploy_rs.world.system() == one);
    CHECK(belay::read_file(victim, 100) == "as it was");
  }
  SECTION("a folder: refused before anything is changed") {
    fs::create_directory(canary);
    CHECK(exit_status(deploy_rs.activate(one, "--magic-rollback").get()) == 1);
    CHECK(deploy_rs.world.system().empty());
    CHECK(deploy_rs.ran().empty());
    fs::remove(canary);
    deploy_rs.deploy(one); // and the target is free
  }
  SECTION("another user's file: refused, because somebody may wait for it") {
    if (geteuid() != 0) {
      return;
    }
    std::ofstream(canary) << "";
    REQUIRE(chown(canary.c_str(), 65534, 65534) == 0);
    CHECK(exit_status(deploy_rs.wait(one, 1)) == 1);
    const auto result = deploy_rs.activate(one, "--magic-rollback").get();
    CHECK(exit_status(result) == 1);
    CHECK(result.err.find("65534") != std::string::npos);
    CHECK(deploy_rs.ran().empty());
    CHECK(fs::exists(canary));
  }
  SECTION("no folder at all: activate makes it, wait waits for it") {
    fs::remove(deploy_rs.temp());
    auto waiting = std::async(std::launch::async, [&] { return deploy_rs.wait(one); });
    auto activating = deploy_rs.activate(one, "--magic-rollback");
    CHECK(exit_status(waiting.get()) == 0);
    fs::remove(canary);
    CHECK(exit_status(activating.get()) == 0);
  }
}
