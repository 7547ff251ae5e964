// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/protocol.h"

#include "engine/base/store_path.h"
#include "engine/base/text.h"
#include "tests/catch.h"
#include "tests/unit/agent/deploy_steps.h"

#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

// What the whole agent refuses, and that nothing has changed then.

using namespace belay::agent;
using namespace belay::agent::test;
using std::chrono::seconds;
namespace fs = std::filesystem;

TEST_CASE("agent: refusals change nothing") {
  if (left_out()) {
    return;
  }
  NixWorld world;
  const auto good = world.generation("good", "true");
  Conversation agent(world);
  const auto ask = [&](const PrepareRequest::Profile& profile) {
    return refusal_of(agent.ask(PrepareRequest{.run = "r", .profiles = {profile}}));
  };
  const auto gone = world.path("store").string() + "/" + std::string(32, 'a') + "-gone";
  CHECK(ask(system_of(gone)).reason == "path-invalid");
  CHECK(ask(system_of("/etc")).reason == "protocol");
  CHECK(ask({.name = "../x", .closure = good}).reason == "protocol");
  for (const auto* path : {"", "profiles/app", "../app"}) { // of whatever folder we are in
    auto relative = system_of(good);
    relative.profile_path = path;
    CHECK(ask(relative).reason == "protocol");
  }
  // A boot unit runs it: it has to be what the store says, not what a link says that day.
  fs::create_symlink(good, world.path("agent"));
  for (const auto& program : {world.path("agent").string(), good + "/../agent",
                              good + "/deploy-rs-activate", std::string("belay-agent")}) {
    const PrepareRequest request{.run = "r", .agent = program, .profiles = {system_of(good)}};
    CHECK(refusal_of(agent.ask(request)).reason == "protocol");
  }
  std::ofstream(world.path("file")) << "x";
  const auto file = world.run({"nix-store", "--add", world.path("file").string()}).out;
  CHECK(ask(system_of(std::string(belay::trim(file)))).reason == "no-activation");
  CHECK(refusal_of(agent.ask(StateRequest{"0123456789abcdef"})).reason == "unknown-transaction");
  CHECK(refusal_of(agent.ask(StateRequest{"../../etc"})).reason == "unknown-transaction");
  CHECK(refusal_of(agent.ask(ActivateRequest{"0123456789abcdef", "x"})).reason ==
        "unknown-transaction");
  agent.write_raw("this is no request\n{\"id\":77}\n");
  for (const int id : {0, 77}) { // who asked for what we do not know has an answer
    const auto message = agent.next();
    REQUIRE(std::holds_alternative<Reply>(message));
    CHECK(std::get<Reply>(message).id == id);
    CHECK(refusal_of(std::get<Reply>(message).body).reason == "protocol");
  }
  for (const auto& entry : fs::directory_iterator(world.state_directory())) {
    CHECK(entry.path().filename() == "mutex");
  }
  CHECK(world.system().empty());
  prepared(agent, {system_of(good)}); // and the conversation goes on
}

TEST_CASE("agent: what a node of a run has deployed no other node of it deploys over") {
  if (left_out()) {
    return;
  }
  NixWorld world;
  const auto one = world.generation("one", "true");
  const auto two = world.generation("two", "true");
  Conversation agent(world);
  const auto prepare = [&](const std::string& run, const std::string& node,
                           PrepareRequest::Profile profile) {
    return agent.ask(PrepareRequest{.run = run, .node = node, .profiles = {std::move(profile)}});
  };
  const auto deploy = [&](const std::string& run, const std::string& node,
                          const std::string& closure) {
    const auto reply = prepare(run, node, system_of(closure));
    REQUIRE(std::holds_alternative<TransactionStatus>(reply));
    const auto transaction = std::get<TransactionStatus>(reply).transaction;
    accepted(agent, ActivateRequest{transaction, "system"});
    agent.until(State::awaiting_confirm);
    REQUIRE(confirm(agent, transaction) == State::confirmed);
    accepted(agent, FinishRequest{transaction});
    await_no_keeper(world, transaction);
  };
  deploy("run-1", "web-1", one);
  const auto refusal = refusal_of(prepare("run-1", "web-2", system_of(two)));
  CHECK(refusal.reason == "lock-held");
  CHECK(refusal.details.at("deployed") == "true");
  CHECK(refusal.details.at("node") == "web-1");
  CHECK(world.system() == one);
  SECTION("another one of its own it may") {
    auto other = system_of(two);
    other.profile_path = world.path("state/profiles/other").string();
    CHECK(std::holds_alternative<TransactionStatus>(prepare("run-1", "web-2", other)));
  }
  SECTION("what is the same for both is well") {
    deploy("run-1", "web-2", one);
  }
  SECTION("the same node again is no other one") {
    deploy("run-1", "web-1", two);
  }
  SECTION("another run is another matter") {
    deploy("run-2", "web-2", two);
  }
}

TEST_CASE("agent: a profile in a folder that others may write to is refused, and nothing changes") {
  if (left_out()) {
    return;
  }
  NixWorld world;
  const auto folder = world.path("elsewhere");
  fs::create_directory(folder);
  Conversation agent(world);
  auto profile = system_of(world.generation("good", "true"));
  profile.profile_path = (folder / "app").string();
  const auto ask = [&] {
    return refusal_of(agent.ask(PrepareRequest{.run = "r", .profiles = {profile}})).message;
  };
  SECTION("everybody") {
    fs::permissions(folder, fs::perms::all);
    CHECK(ask().find("everybody may write") != std::string::npos);
  }
  SECTION("its owner") {
    if (geteuid() != 0) {
      return;
    }
    REQUIRE(chown(folder.c_str(), 65534, 65534) == 0);
    CHECK(ask().find("belongs to user 65534") != std::string::npos);
  }
  CHECK(fs::is_empty(folder));
  for (const auto& entry : fs::directory_iterator(world.state_directory())) {
    CHECK(entry.path().filename() == "mutex");
  }
}

TEST_CASE("agent: one deploy at a time, and the holder is named") {
  if (left_out()) {
    return;
  }
  NixWorld world;
  const auto path = world.generation("new", "true");
  Conversation first(world);
  Conversation second(world);
  const auto transaction = prepared(first, {system_of(path)}).transaction;
  const auto refusal =
      refusal_of(second.ask(PrepareRequest{.run = "run-2", .profiles = {system_of(path)}}));
  CHECK(refusal.reason == "lock-held");
  CHECK(refusal.details.at("run") == "run-1");
  CHECK(refusal.details.at("url") == "https://ci.example/1");
  CHECK(belay::parse_time(refusal.details.at("since")));
  first.kill(); // the lock is the keeper's, not the connection's
  CHECK(refusal_of(second.ask(PrepareRequest{.run = "run-2", .profiles = {system_of(path)}}))
            .reason == "lock-held");
  accepted(second, FinishRequest{transaction});
  prepared(second, {system_of(path)});
}
