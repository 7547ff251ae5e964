// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/protocol.h"

#include "engine/base/file.h"
#include "tests/catch.h"
#include "tests/unit/agent/deploy_steps.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <thread>

// The processes of the whole agent are killed under way: the others, the next connection or the
// next deploy bring the host to an end that is told.

using namespace belay::agent;
using namespace belay::agent::test;
using std::chrono::seconds;
namespace fs = std::filesystem;

TEST_CASE("agent: serve dies, another connection confirms") {
  if (left_out()) {
    return;
  }
  NixWorld world;
  const auto path = world.generation("new", "sleep 0.5");
  std::string transaction;
  {
    Conversation first(world);
    transaction = prepared(first, {system_of(path)}).transaction;
    accepted(first, ActivateRequest{transaction, "system"});
    first.kill();
  }
  Conversation second(world);
  const auto wait = belay::Wait::at_most(seconds(20));
  State state = State::prepared;
  while (state != State::awaiting_confirm && !wait.expired()) {
    state = std::get<TransactionStatus>(second.ask(StateRequest{transaction})).profiles[0].state;
  }
  REQUIRE(state == State::awaiting_confirm);
  CHECK(confirm(second, transaction) == State::confirmed);
  CHECK(world.system() == path);
}

TEST_CASE("agent: kill -9 of keep, with serve alive") {
  if (left_out()) {
    return;
  }
  NixWorld world;
  const auto old_path = deployed(world);
  const auto slow = world.generation("slow", "echo begun; sleep 300 & sleep 300");
  const auto quick = world.generation("quick", "true");
  Conversation agent(world);
  SECTION("before anything was changed: nothing is") {
    const auto transaction = prepared(agent, {system_of(quick)}).transaction;
    world.kill_keepers(transaction);
    accepted(agent, ActivateRequest{transaction, "system"}); // by the next keeper
    agent.until(State::awaiting_confirm);
    CHECK(confirm(agent, transaction) == State::confirmed);
    CHECK(world.system() == quick);
  }
  SECTION("while the script runs: it is stopped, then rolled back") {
    const auto transaction = prepared(agent, {system_of(slow)}).transaction;
    accepted(agent, ActivateRequest{transaction, "system"});
    while (agent.output.empty()) {
      agent.next();
    }
    world.kill_keepers(transaction);
    CHECK(agent.until(State::rolled_back).reason == "interrupted");
    CHECK(world.system() == old_path);
    CHECK(agent.output.back() == "activating old");
  }
  SECTION("while the confirmation is awaited: it still is") {
    const auto transaction = prepared(agent, {system_of(quick)}).transaction;
    accepted(agent, ActivateRequest{transaction, "system"});
    agent.until(State::awaiting_confirm);
    world.kill_keepers(transaction);
    CHECK(confirm(agent, transaction) == State::confirmed);
    accepted(agent, FinishRequest{transaction});
    await_no_keeper(world, transaction);
    CHECK(world.system() == quick);
  }
}

TEST_CASE("agent: kill -9 of keep alone is made good without any connection") {
  if (left_out()) {
    return;
  }
  NixWorld world;
  const auto old_path = deployed(world);
  const auto slow = world.generation("slow", "echo begun; sleep 300 & sleep 300");
  Conversation agent(world);
  const auto transaction = prepared(agent, {system_of(slow)}).transaction;
  accepted(agent, ActivateRequest{transaction, "system"});
  while (agent.output.empty()) {
    agent.next();
  }
  agent.kill();
  const auto pids = world.keepers(transaction);
  REQUIRE(pids.size() == 2);
  kill(std::max(pids[0], pids[1]), SIGKILL); // the one that works, not the one that waits for it
  const auto wait = belay::Wait::at_most(seconds(20));
  while (world.system() != old_path && !wait.expired()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  CHECK(world.system() == old_path);
}

TEST_CASE("agent: what nobody kept is ended by the next deploy, and told") {
  if (left_out()) {
    return;
  }
  NixWorld world;
  const auto old_path = deployed(world);
  const auto slow = world.generation("slow", "echo begun; sleep 300");
  const auto next = world.generation("next", "true");
  std::string transaction;
  {
    Conversation agent(world);
    transaction = prepared(agent, {system_of(slow)}).transaction;
    accepted(agent, ActivateRequest{transaction, "system"});
    while (agent.output.empty()) {
      agent.next();
    }
    agent.kill();
    world.kill_keepers(transaction);
    REQUIRE(world.system() == slow);
  }
  SECTION("by its prepare") {
    Conversation agent(world);
    const auto opened = prepared(agent, {system_of(next)});
    REQUIRE(opened.earlier.size() == 1);
    CHECK(opened.earlier[0].transaction == transaction);
    CHECK(opened.earlier[0].run == "run-1");
    CHECK(opened.earlier[0].profiles.at(0).state == State::rolled_back);
    CHECK(opened.profiles[0].recorded.path == old_path);
    accepted(agent, FinishRequest{opened.transaction});
    CHECK(prepared(agent, {system_of(next)}).earlier.empty()); // once
  }
  SECTION("by recover") {
    CHECK(world.run({agent_program(), "recover"}).succeeded());
    CHECK(world.system() == old_path);
    CHECK(world.run({agent_program(), "recover"}).succeeded());
    CHECK(world.run({agent_program(), "status"}).out.find("rolled-back") != std::string::npos);
  }
  SECTION("by the agent that began it") {
    const auto began = world.path("agent-of-then");
    const auto called = world.path("called");
    belay::replace_file(began, "#!/bin/sh\necho \"$1 $4\" >>" + called.string() + "\nexec " +
                                   agent_program() + " \"$@\"\n");
    fs::permissions(began, fs::perms::owner_all);
    fs::create_symlink(began, world.state_directory() / transaction / "agent");
    CHECK(world.run({agent_program(), "recover"}).succeeded());
    CHECK(belay::read_file(called, 4096) == "recover " + transaction + "\n");
    CHECK(world.system() == old_path);
  }
  SECTION("by its prepare, of which no reply comes through") {
    std::string opened;
    {
      Conversation agent(world);
      opened = prepared(agent, {system_of(next)}).transaction;
      agent.kill();
    }
    Conversation agent(world);
    const auto earlier = [&] {
      return std::get<TransactionStatus>(agent.ask(StateRequest{opened})).earlier;
    };
    REQUIRE(earlier().size() == 1);
    CHECK(earlier()[0].transaction == transaction);
    accepted(agent, ActivateRequest{opened, "system"});
    CHECK(earlier().empty());
    agent.until(State::awaiting_confirm);
    CHECK(confirm(agent, opened) == State::confirmed);
    accepted(agent, FinishRequest{opened});
    CHECK(prepared(agent, {system_of(next)}).earlier.empty());
  }
  SECTION("by deploy-rs") {
    const auto program = world.path("activate-rs");
    fs::create_symlink(agent_program(), program);
    const auto result =
        world.run({program.string(), "activate", next, "--profile-user", "root", "--profile-name",
                   "system", "--temp-path", "/tmp", "--confirm-timeout", "20", "--auto-rollback"});
    CHECK(result.succeeded());
    CHECK(result.err.find("rolled-back, run run-1") != std::string::npos);
    Conversation agent(world);
    CHECK(prepared(agent, {system_of(next)}).earlier.empty());
  }
  SECTION("by its prepare, with the agent that began it") {
    const auto began = world.path("agent-of-then");
    const auto called = world.path("called");
    belay::replace_file(began, "#!/bin/sh\necho \"$0 $*\" >>" + called.string() + "\nexec " +
                                   agent_program() + " \"$@\"\n");
    fs::permissions(began, fs::perms::owner_all);
    const auto root = world.state_directory() / transaction / "root-3"; // as Nix makes several
    fs::create_symlink(began, root);
    fs::create_symlink(root, world.state_directory() / transaction / "agent");
    Conversation agent(world);
    CHECK(prepared(agent, {system_of(next)}).earlier.size() == 1);
    const auto words = belay::read_file(called, 4096);
    CHECK(words.starts_with(began.string() + " recover ")); // no name that goes with the roots
    CHECK(words.ends_with(" " + transaction + "\n"));
  }
  SECTION("by its prepare, where the agent that began it was damaged") {
    const auto began = world.path("agent-of-then");
    belay::replace_file(began, "");
    fs::permissions(began, fs::perms::owner_all);
    fs::create_symlink(began, world.state_directory() / transaction / "agent");
    Conversation agent(world);
    CHECK(prepared(agent, {system_of(next)}).earlier.size() == 1);
  }
  SECTION("of a later version") {
    const auto record = (world.state_directory() / transaction / "record.json").string();
    const auto version = [&](const std::string& from, const std::string& to) {
      return "sed -i 's/\"version\":" + from + "/\"version\":" + to + "/' " + record;
    };
    REQUIRE(world.run({"sh", "-c", version("1", "2")}).succeeded());
    CHECK(world.run({agent_program(), "recover"}).status == 1); // not ours to judge
    CHECK(world.system() == slow);
    const auto began = world.path("agent-of-then");
    belay::replace_file(began, "#!/bin/sh\n" + version("2", "1") + "\n" + agent_program() +
                                   " \"$@\" && " + version("1", "2") + "\n");
    fs::permissions(began, fs::perms::owner_all);
    fs::create_symlink(began, world.state_directory() / transaction / "agent");
    SECTION("by recover, with the agent that began it") {
      CHECK(world.run({agent_program(), "recover"}).succeeded());
      CHECK(world.system() == old_path);
    }
    SECTION("by the next prepare, which does not go on beside one that was killed") {
      belay::replace_file(began, "#!/bin/sh\nkill -KILL $$\n");
      fs::permissions(began, fs::perms::owner_all);
      Conversation agent(world);
      const auto reply = agent.ask(PrepareRequest{.run = "run-2", .profiles = {system_of(next)}});
      CHECK(refusal_of(reply).reason == "lock-held");
      CHECK(world.system() == slow);
    }
    SECTION("by the next prepare, with the agent that began it") {
      Conversation agent(world);
      CHECK(prepared(agent, {system_of(next)}).profiles[0].recorded.path == old_path);
    }
  }
  SECTION("by recover, whose first attempt is killed") {
    const auto began = world.path("agent-of-then");
    const auto called = world.path("called").string();
    belay::replace_file(began, "#!/bin/sh\nmkdir " + called + " && kill -KILL $$\nexec " +
                                   agent_program() + " \"$@\"\n");
    fs::permissions(began, fs::perms::owner_all);
    fs::create_symlink(began, world.state_directory() / transaction / "agent");
    CHECK(world.run({agent_program(), "recover"}).succeeded());
    CHECK(fs::exists(called));
    CHECK(world.system() == old_path);
  }
}
