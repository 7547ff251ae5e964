// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/protocol.h"

#include "engine/base/text.h"
#include "tests/catch.h"
#include "tests/unit/agent/deploy_steps.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>
#include <unistd.h>

// A deploy by the whole agent with a real Nix, from its prepare to its end, however that comes:
// serve and keep as processes, conversations as a runner has them.

using namespace belay::agent;
using namespace belay::agent::test;
using std::chrono::seconds;
namespace fs = std::filesystem;

namespace {

int generations(const NixWorld& world) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator(world.path("state/profiles"))) {
    count += entry.path().filename().string().starts_with("system-") ? 1 : 0;
  }
  return count;
}

} // namespace

TEST_CASE("agent: deployed, confirmed, finished") {
  if (left_out()) {
    return;
  }
  NixWorld world;
  const auto old_path = deployed(world);
  const auto new_path = world.generation("new", "echo in $PWD; echo \"$PROFILE\"");
  Conversation agent(world);
  CHECK(agent.hello().protocol == protocol_version);
  CHECK(agent.hello().system.find('-') != std::string::npos);
  CHECK(agent.hello().uid == getuid());
  const auto opened = prepared(agent, {system_of(new_path)});
  CHECK(opened.profiles.at(0).recorded.path == old_path);
  CHECK(opened.profiles.at(0).recorded.number == 1);
  CHECK(opened.details.contains("detach"));
  CHECK(opened.details.contains("reboot_protection"));
  CHECK(world.system() == old_path);
  accepted(agent, ActivateRequest{opened.transaction, "system"});
  const auto waiting = agent.until(State::awaiting_confirm);
  CHECK(waiting.closure_matches);
  CHECK(waiting.exit_status == 0);
  REQUIRE(waiting.confirm_left);
  CHECK(*waiting.confirm_left > seconds(20));
  CHECK(agent.output ==
        std::vector<std::string>{"in " + new_path, world.path("state/profiles/system").string()});
  CHECK(confirm(agent, opened.transaction) == State::confirmed);
  CHECK(confirm(agent, opened.transaction) == State::confirmed); // asked again
  accepted(agent, FinishRequest{opened.transaction});
  await_no_keeper(world, opened.transaction);
  CHECK(world.system() == new_path);
  CHECK_FALSE(fs::is_symlink(world.state_directory() / opened.transaction / "0/new"));
  CHECK(std::holds_alternative<Accepted>(agent.ask(FinishRequest{opened.transaction})));
  CHECK(agent.close() == 0);
  const auto status = world.run({agent_program(), "status"});
  CHECK(status.out.find("system: confirmed, generation 2, before generation 1") !=
        std::string::npos);
  CHECK(world.run({agent_program(), "status", "--json"}).out.find("\"confirmed\"") !=
        std::string::npos);
}

TEST_CASE("agent: a failed activation, then a first generation that fails") {
  if (left_out()) {
    return;
  }
  NixWorld world;
  const auto bad = world.generation("bad", "echo broken; exit 4");
  std::string old_path;
  SECTION("with something to go back to") {
    old_path = deployed(world);
  }
  SECTION("without") {}
  Conversation agent(world);
  const auto transaction = prepared(agent, {system_of(bad)}).transaction;
  accepted(agent, ActivateRequest{transaction, "system"});
  const auto back = agent.until(State::rolled_back);
  CHECK(back.reason == "activation-failed");
  CHECK(back.exit_status == 4);
  CHECK(back.current.path == old_path);
  CHECK(world.system() == old_path);
  CHECK(generations(world) == (old_path.empty() ? 0 : 1));
  CHECK(agent.output.back() == (old_path.empty() ? "broken" : "activating old"));
}

TEST_CASE("agent: an unchanged closure that fails keeps its generation") {
  if (left_out()) {
    return;
  }
  NixWorld world;
  const auto flag = world.path("fail").string();
  const auto path = world.generation("flaky", "if rm '" + flag + "'; then exit 1; fi");
  {
    Conversation agent(world);
    const auto transaction = prepared(agent, {system_of(path)}).transaction;
    accepted(agent, ActivateRequest{transaction, "system"});
    agent.until(State::awaiting_confirm);
    confirm(agent, transaction);
    accepted(agent, FinishRequest{transaction});
  }
  std::ofstream(flag) << "x";
  Conversation agent(world);
  const auto transaction = prepared(agent, {system_of(path)}).transaction;
  accepted(agent, ActivateRequest{transaction, "system"});
  CHECK(agent.until(State::rolled_back).current.number == 1);
  CHECK(world.system() == path);
}

TEST_CASE("agent: not confirmed; the garbage collector runs in the window") {
  if (left_out()) {
    return;
  }
  NixWorld world;
  const auto old_path = deployed(world);
  const auto new_path = world.generation("new", "echo new");
  Conversation agent(world);
  auto profile = system_of(new_path);
  profile.confirm_timeout = seconds(3);
  const auto transaction = prepared(agent, {profile}).transaction;
  world.run({"nix-store", "--gc"});
  REQUIRE(fs::exists(new_path)); // between the copy and the set
  accepted(agent, ActivateRequest{transaction, "system"});
  agent.until(State::awaiting_confirm);
  world.run({"nix-env", "-p", world.path("state/profiles/system").string(), "--delete-generations",
             "old"});
  world.run({"nix-store", "--gc"});
  REQUIRE(fs::exists(old_path));
  const auto back = agent.until(State::rolled_back);
  CHECK(back.reason == "confirm-timeout");
  CHECK(world.system() == old_path);
  CHECK(confirm(agent, transaction) == State::rolled_back); // too late, and told so
}

TEST_CASE(
    "agent: a confirmation after the deadline is too late, even where no keeper has seen it") {
  if (left_out()) {
    return;
  }
  NixWorld world;
  const auto old_path = deployed(world);
  Conversation agent(world);
  auto profile = system_of(world.generation("new", "true"));
  profile.confirm_timeout = seconds(1);
  const auto transaction = prepared(agent, {profile}).transaction;
  accepted(agent, ActivateRequest{transaction, "system"});
  const auto deadline =
      belay::BootClock::now() + *agent.until(State::awaiting_confirm).confirm_left;
  const auto keepers = world.keepers(transaction);
  for (const auto pid : keepers) {
    kill(pid, SIGSTOP);
  }
  while (belay::BootClock::now() <= deadline) {
    std::this_thread::yield();
  }
  CHECK(confirm(agent, transaction) == State::rolling_back);
  for (const auto pid : keepers) {
    kill(pid, SIGCONT);
  }
  agent.until(State::rolled_back);
  CHECK(world.system() == old_path);
}

TEST_CASE("agent: a closure that is a symlink is told by what it leads to") {
  if (left_out()) {
    return;
  }
  NixWorld world;
  const auto old_path = deployed(world);
  const auto real = world.generation("real", "exit 3");
  fs::create_symlink(real, world.path("link"));
  const auto link =
      std::string(belay::trim(world.run({"nix-store", "--add", world.path("link").string()}).out));
  REQUIRE(fs::is_symlink(link));
  Conversation agent(world);
  const auto transaction = prepared(agent, {system_of(link)}).transaction;
  accepted(agent, ActivateRequest{transaction, "system"});
  const auto back = agent.until(State::rolled_back);
  CHECK(back.reason == "activation-failed"); // it was set, and known to be
  CHECK(world.system() == old_path);
  CHECK(generations(world) == 1);
}

TEST_CASE("agent: two profiles, of which the second fails") {
  if (left_out()) {
    return;
  }
  NixWorld world;
  const auto old_path = deployed(world);
  const auto good = world.generation("good", "echo good");
  const auto bad = world.generation("bad", "exit 1");
  const std::string odd = "we\"b 'x' $HOME\n;id";
  Conversation agent(world);
  auto second = system_of(bad);
  second.name = odd;
  const auto opened = prepared(agent, {system_of(good), second});
  const auto& transaction = opened.transaction;
  CHECK(fs::path(opened.profiles.at(1).profile_path).filename() == odd);
  accepted(agent, ActivateRequest{transaction, "system"});
  agent.until(State::awaiting_confirm);
  CHECK(confirm(agent, transaction) == State::confirmed);
  accepted(agent, ActivateRequest{transaction, odd});
  CHECK(agent.until(State::rolled_back, odd).recorded.path.empty());
  CHECK(world.system() == good);
  accepted(agent, RevokeRequest{transaction, "system"});
  CHECK(agent.until(State::rolled_back).reason == "revoked");
  CHECK(world.system() == old_path);
  accepted(agent, RevokeRequest{transaction, "system"}); // asked again, told again
  CHECK(agent.until(State::rolled_back).reason == "revoked");
}

TEST_CASE("agent: revoke does not touch what somebody else has set") {
  if (left_out()) {
    return;
  }
  NixWorld world;
  deployed(world);
  const auto good = world.generation("good", "true");
  const auto theirs = world.generation("theirs", "true");
  Conversation agent(world);
  const auto transaction = prepared(agent, {system_of(good)}).transaction;
  accepted(agent, ActivateRequest{transaction, "system"});
  agent.until(State::awaiting_confirm);
  confirm(agent, transaction);
  world.run({"nix-env", "-p", world.path("state/profiles/system").string(), "--set", theirs});
  accepted(agent, RevokeRequest{transaction, "system"});
  agent.until(State::superseded);
  CHECK(world.system() == theirs);
}

TEST_CASE("agent: abandon") {
  if (left_out()) {
    return;
  }
  NixWorld world;
  const auto old_path = deployed(world);
  const auto fence = world.path("go on").string();
  const auto slow =
      world.generation("slow", "echo begun; until test -e '" + fence + "'; do sleep 0.05; done");
  Conversation agent(world);
  const auto transaction = prepared(agent, {system_of(slow)}).transaction;
  accepted(agent, ActivateRequest{transaction, "system"});
  while (agent.output.empty()) {
    agent.next();
  }
  const auto begin = belay::BootClock::now();
  accepted(agent, AbandonRequest{transaction}); // while the script runs
  CHECK(belay::BootClock::now() - begin < seconds(1));
  std::ofstream(fence) << "x";
  CHECK(agent.until(State::rolled_back).reason == "abandoned");
  CHECK(world.system() == old_path);
}
