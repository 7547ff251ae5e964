// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/record.h"
#include "engine/agent/transaction_files.h"
#include "tests/catch.h"
#include "tests/unit/agent/deploy_rs_world.h"

#include <filesystem>
#include <unistd.h>

// activate-rs beside magic rollback's canary: dry runs, the next boot, revoke, who else is there.

using namespace belay::agent;
using belay::agent::test::agent_program;
using belay::agent::test::DeployRs;
using belay::agent::test::exit_status;
using belay::agent::test::left_out;
namespace fs = std::filesystem;

TEST_CASE("activate-rs: a dry run changes nothing and takes nothing back") {
  if (left_out()) {
    return;
  }
  DeployRs deploy_rs;
  const auto one = deploy_rs.generation("one");
  const auto two = deploy_rs.generation("two", "echo in $PWD of $PROFILE");
  const auto bad = deploy_rs.generation("bad", "exit 4");
  deploy_rs.deploy(one);
  const auto flags = "--magic-rollback --dry-activate"; // as deploy-rs sends them
  const auto deaf =
      deploy_rs.world.generation("deaf", "touch " + deploy_rs.world.path("done").string());
  CHECK(exit_status(deploy_rs.activate(deaf, flags).get()) == 1);
  CHECK_FALSE(fs::exists(deploy_rs.world.path("done")));
  const auto result = deploy_rs.activate(two, flags).get();
  CHECK(exit_status(result) == 0);
  CHECK(result.out.find("in " + two + " of " + two) != std::string::npos);
  CHECK(exit_status(deploy_rs.activate(bad, flags).get()) == 1);
  CHECK(deploy_rs.ran() == "one:0:0 two:1:0 bad:1:0");
  CHECK(deploy_rs.world.system() == one);
  CHECK_FALSE(fs::exists(deploy_rs.canary(two)));
}

TEST_CASE("activate-rs: for the next boot nothing is confirmed, and nothing that runs is touched") {
  if (left_out()) {
    return;
  }
  DeployRs deploy_rs;
  const auto one = deploy_rs.generation("one"), two = deploy_rs.generation("two"),
             bad = deploy_rs.generation("bad", "exit 4");
  deploy_rs.deploy(one);
  const auto flags = "--magic-rollback --boot";
  CHECK(exit_status(deploy_rs.activate(two, flags).get()) == 0);
  CHECK(deploy_rs.world.system() == two);
  CHECK(deploy_rs.ran() == "one:0:0 two:0:1");
  CHECK_FALSE(fs::exists(deploy_rs.canary(two)));
  CHECK(exit_status(deploy_rs.activate(bad, flags).get()) == 1);
  CHECK(deploy_rs.world.system() == two);
  CHECK(exit_status(deploy_rs.activate(one, flags).get()) == 0);
  CHECK(exit_status(deploy_rs.revoke()) == 0);
  CHECK(deploy_rs.world.system() == two);
  CHECK(deploy_rs.ran() == "one:0:0 two:0:1 bad:0:1 two:0:1 one:0:1 two:0:1");
}

TEST_CASE("activate-rs: revoke goes back to what that activation replaced") {
  if (left_out()) {
    return;
  }
  DeployRs deploy_rs;
  CHECK(exit_status(deploy_rs.revoke()) == 1); // nothing is known
  const auto one = deploy_rs.generation("one"), two = deploy_rs.generation("two"),
             three = deploy_rs.generation("three");
  deploy_rs.deploy(one);
  deploy_rs.deploy(two);
  deploy_rs.world.run({"nix-env", "-p", deploy_rs.world.path("state/profiles/system").string(),
                       "--switch-generation", "1"}); // by hand: what ran is not the number below
  deploy_rs.deploy(three);
  CHECK(exit_status(deploy_rs.revoke()) == 0);
  CHECK(deploy_rs.world.system() == one);
  CHECK(deploy_rs.ran() == "one:0:0 two:0:0 three:0:0 one::");
  CHECK(exit_status(deploy_rs.revoke()) == 1); // not twice
  CHECK(deploy_rs.world.system() == one);

  deploy_rs.deploy(three);
  deploy_rs.world.run({"nix-env", "-p", deploy_rs.world.path("state/profiles/system").string(),
                       "--set", two}); // somebody else's: left alone
  CHECK(exit_status(deploy_rs.revoke()) == 1);
  CHECK(deploy_rs.world.system() == two);
}

TEST_CASE("activate-rs: where what ran beside the profile is gone by now, its generation will do") {
  if (left_out()) {
    return;
  }
  DeployRs deploy_rs;
  const auto one = deploy_rs.generation("one"), two = deploy_rs.generation("two");
  deploy_rs.deploy(one);
  deploy_rs.deploy(two);
  for (const auto& id : list_transactions(deploy_rs.world.state_directory())) {
    const TransactionFiles files(deploy_rs.world.state_directory(), id);
    auto record = read_record(files.record());
    REQUIRE(record);
    record->profiles[0].reactivate =
        "/nix/store/" + std::string(32, 'a') + "-ran"; // it was collected
    write_record(files.record(), *record);
  }
  CHECK(exit_status(deploy_rs.revoke()) == 0);
  CHECK(deploy_rs.world.system() == one);
  CHECK(deploy_rs.ran() == "one:0:0 two:0:0 one::");
}

TEST_CASE("activate-rs: nothing is taken back by what a state directory says that is not ours") {
  if (left_out()) {
    return;
  }
  DeployRs deploy_rs;
  const auto one = deploy_rs.generation("one"), two = deploy_rs.generation("two");
  deploy_rs.deploy(one);
  deploy_rs.deploy(two);
  const auto state = deploy_rs.world.state_directory();
  std::string complaint;
  SECTION("a link to one") {
    fs::rename(state, deploy_rs.world.path("elsewhere"));
    fs::create_directory_symlink(deploy_rs.world.path("elsewhere"), state);
    complaint = "is not a folder that can be trusted";
  }
  SECTION("somebody else's") {
    if (geteuid() != 0) {
      return;
    }
    REQUIRE(chown(state.c_str(), 65534, 65534) == 0);
    complaint = "belongs to user 65534";
  }
  const auto result = deploy_rs.revoke();
  CHECK(exit_status(result) == 1);
  CHECK(result.err.find(complaint) != std::string::npos);
  CHECK(deploy_rs.world.system() == two);
  CHECK(deploy_rs.ran() == "one:0:0 two:0:0");
}

TEST_CASE("activate-rs: a copy by that name is a whole agent") {
  if (left_out()) {
    return;
  }
  DeployRs deploy_rs; // its keeper is the same program
  fs::remove(deploy_rs.world.path("activate-rs"));
  fs::copy_file(agent_program(), deploy_rs.world.path("activate-rs"));
  deploy_rs.deploy(deploy_rs.generation("one"));
  CHECK(deploy_rs.call("--version").out.starts_with("belay-agent "));
  CHECK(exit_status(deploy_rs.call("unknown")) == 1);
  CHECK(exit_status(deploy_rs.call("")) == 1);
}

TEST_CASE("activate-rs: a host that another deploy holds") {
  if (left_out()) {
    return;
  }
  DeployRs deploy_rs;
  const auto one = deploy_rs.generation("one"), two = deploy_rs.generation("two");
  auto first = deploy_rs.activate(one, "--magic-rollback");
  REQUIRE(deploy_rs.wait(one).succeeded());
  const auto second = deploy_rs.activate(two, "--magic-rollback").get();
  CHECK(exit_status(second) == 1);
  CHECK(second.err.find("held by run deploy-rs") != std::string::npos);
  CHECK(deploy_rs.ran() == "one:0:0");
  fs::remove(deploy_rs.canary(one));
  CHECK(exit_status(first.get()) == 0);
}
