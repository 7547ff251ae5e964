// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/protocol.h"

#include "engine/base/store_path.h"
#include "engine/base/text.h"
#include "tests/catch.h"
#include "tests/unit/agent/agent_process.h"

#include <csignal>
#include <fstream>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

// The whole agent with a real Nix: serve and keep as processes, conversations as a runner has them.

using namespace belay::agent;
using belay::agent::test::agent_program;
using belay::agent::test::Conversation;
using belay::agent::test::NixWorld;
using std::chrono::seconds;
namespace fs = std::filesystem;

namespace {

bool left_out() {
  if (NixWorld::has_nix()) {
    return false;
  }
  WARN("there is no nix-store here: left out");
  return true;
}

PrepareRequest::Profile system_of(const std::string& closure) {
  return {.name = "system", .closure = closure, .activation_timeout = seconds(20)};
}

TransactionStatus prepared(Conversation& agent, std::vector<PrepareRequest::Profile> profiles) {
  const auto reply = agent.ask(PrepareRequest{
      .run = "run-1", .holder_url = "https://ci.example/1", .profiles = std::move(profiles)});
  if (const auto* refusal = std::get_if<Refusal>(&reply)) {
    FAIL("refused: " << refusal->reason << ": " << refusal->message);
  }
  return std::get<TransactionStatus>(reply);
}

Refusal refusal_of(const ReplyBody& reply) {
  REQUIRE(std::holds_alternative<Refusal>(reply));
  return std::get<Refusal>(reply);
}

/// Heartbeats may come before it.
template <class T> void accepted(Conversation& agent, const T& request) {
  const auto reply = agent.ask(request);
  if (const auto* refusal = std::get_if<Refusal>(&reply)) {
    FAIL("refused: " << refusal->reason << ": " << refusal->message);
  }
}

State confirm(Conversation& agent, const std::string& transaction,
              const std::string& profile = "system") {
  return std::get<Decision>(agent.ask(ConfirmRequest{transaction, profile})).state;
}

/// Deploys and confirms, so that there is something to go back to.
std::string deployed(NixWorld& world, const std::string& name = "old") {
  const auto path = world.generation(name, "echo activating " + name);
  Conversation agent(world);
  const auto transaction = prepared(agent, {system_of(path)}).transaction;
  accepted(agent, ActivateRequest{transaction, "system"});
  agent.until(State::awaiting_confirm);
  REQUIRE(confirm(agent, transaction) == State::confirmed);
  accepted(agent, FinishRequest{transaction});
  agent.close();
  REQUIRE(world.system() == path);
  return path;
}

void await_no_keeper(const NixWorld& world, const std::string& transaction) {
  const auto wait = belay::Wait::at_most(seconds(20));
  while (!world.keepers(transaction).empty()) {
    REQUIRE_FALSE(wait.expired());
    std::this_thread::yield();
  }
}

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

TEST_CASE("agent: heartbeats come while nothing happens") {
  if (left_out()) {
    return;
  }
  NixWorld world;
  Conversation agent(world);
  const auto begin = belay::BootClock::now();
  CHECK(std::holds_alternative<Heartbeat>(agent.next()));
  CHECK(std::holds_alternative<Heartbeat>(agent.next()));
  CHECK(belay::BootClock::now() - begin < seconds(6));
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

TEST_CASE("agent: the program is small and says what it is") {
  const auto version = NixWorld().run({agent_program(), "--version"});
  CHECK(version.out.starts_with("belay-agent "));
  CHECK(NixWorld().run({agent_program(), "--help"}).out.find("recover") != std::string::npos);
  CHECK(NixWorld().run({agent_program()}).status == 2);
  CHECK(NixWorld().run({agent_program(), "explode"}).status == 2);
  CHECK(NixWorld().run({agent_program(), "recover", "0123456789abcdef"}).status == 1);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  struct stat facts {};
  REQUIRE(stat(agent_program().c_str(), &facts) == 0);
  CHECK(facts.st_size < 4 * 1024 * 1024);
#endif
}
