// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/transaction.h"
#include "engine/base/error.h"
#include "tests/catch.h"
#include "tests/unit/agent/agent_process.h"
#include "tests/unit/agent/simulated_target.h"

#include <thread>

// bootDefault: afterConfirm. On trial until it is confirmed, booted only then, and called confirmed
// only after that.

using namespace belay::agent;
using belay::agent::test::Conversation;
using belay::agent::test::NixWorld;
using belay::agent::test::record_of;
using belay::agent::test::SimulatedTarget;
using belay::agent::test::store_path;
using std::chrono::seconds;
using Kinds = std::vector<ScriptCall::Kind>;

namespace {

constexpr auto trial = ScriptCall::Kind::trial;
constexpr auto boot = ScriptCall::Kind::boot;
constexpr auto rollback = ScriptCall::Kind::rollback;

const std::string old_path = store_path("old");
const std::string new_path = store_path("new");

struct Case {
  SimulatedTarget target;
  Record record;

  Case() {
    target.install(41, old_path);
    record = record_of(target.recorded(new_path));
    record.profiles[0].wanted.boot_after_confirm = true;
  }
  void boot_script(const std::function<ScriptResult()>& outcome) {
    target.outcomes[new_path] = [outcome](const ScriptCall& call) {
      return call.kind == boot ? outcome() : SimulatedTarget::exited(0);
    };
  }
  /// As far as "somebody got in in time".
  Transaction confirmed_in_time() {
    auto transaction = target.wake(record);
    transaction.activate(0);
    CHECK(transaction.view().profiles[0].state == State::awaiting_confirm);
    CHECK(target.kinds == Kinds{trial});
    CHECK(target.boot_default == old_path);
    REQUIRE(target.decide(0, Verdict::confirmed) == Verdict::confirmed);
    return transaction;
  }
  std::string current() const { return target.read(SimulatedTarget::profile).generation.path; }
};

} // namespace

TEST_CASE("boot default: on trial, confirmed, booted") {
  Case c;
  auto transaction = c.confirmed_in_time();
  transaction.tick();
  CHECK(transaction.view().profiles[0].state == State::confirmed);
  CHECK(c.target.kinds == Kinds{trial, boot});
  CHECK(c.target.boot_default == new_path);
  CHECK(c.target.running == new_path);
}

TEST_CASE("boot default: never confirmed, never booted") {
  Case c;
  auto transaction = c.target.wake(c.record);
  transaction.activate(0);
  c.target.clock.advance(seconds(31));
  transaction.tick();
  CHECK(transaction.view().profiles[0].reason == "confirm-timeout");
  CHECK(c.target.kinds == Kinds{trial, rollback});
  CHECK(c.target.boot_default == old_path);
}

TEST_CASE("boot default: one that cannot be set is no success") {
  Case c;
  c.boot_script([] { return SimulatedTarget::exited(3); });
  SECTION("it goes back like a failed activation") {
    auto transaction = c.confirmed_in_time();
    transaction.tick();
    const auto& view = transaction.view().profiles[0];
    CHECK(view.state == State::rolled_back);
    CHECK(view.reason == "boot-default-failed");
    CHECK(view.message.find("exited 3") != std::string::npos);
    CHECK(view.exit_status == 0); // of the activation
    CHECK(c.current() == old_path);
    CHECK(c.target.boot_default == old_path);
  }
  SECTION("without autoRollback it is left and failed") {
    c.record.profiles[0].wanted.auto_rollback = false;
    auto transaction = c.confirmed_in_time();
    transaction.tick();
    CHECK(transaction.view().profiles[0].state == State::failed);
    CHECK(transaction.view().profiles[0].reason == "boot-default-failed");
    CHECK(c.current() == new_path);
  }
}

TEST_CASE("boot default: a script that cannot be stopped is not worked beside") {
  Case c;
  c.boot_script([] { return ScriptResult{.end = ScriptResult::End::timed_out, .emptied = false}; });
  auto transaction = c.confirmed_in_time();
  transaction.tick();
  CHECK(transaction.view().profiles[0].state == State::rollback_failed);
  CHECK(transaction.view().profiles[0].reason == "script-not-stopped");
  CHECK(c.target.kinds == Kinds{trial, boot});
}

TEST_CASE("boot default: another one's lock is waited for") {
  Case c;
  int attempts = 0;
  c.boot_script([&] {
    auto result = SimulatedTarget::exited(++attempts < 3 ? 1 : 0);
    result.tail = "Could not acquire lock";
    return result;
  });
  auto transaction = c.confirmed_in_time();
  transaction.tick();
  CHECK(transaction.view().profiles[0].state == State::confirmed);
  CHECK(attempts == 3);
}

TEST_CASE("boot default: what somebody else has set meanwhile is not booted") {
  Case c;
  auto transaction = c.confirmed_in_time();
  c.target.set(SimulatedTarget::profile, store_path("theirs"));
  transaction.tick();
  CHECK(transaction.view().profiles[0].state == State::superseded);
  CHECK(c.target.kinds == Kinds{trial});
  CHECK(c.target.boot_default == old_path);
}

TEST_CASE("boot default: a reboot between the confirmation and the script's end goes back") {
  Case c;
  c.confirmed_in_time();
  SECTION("before the script") {}
  SECTION("after the script, before that was noted") {
    c.target.append({.step = Step::setting_boot_default, .profile = 0});
    c.target.boot_default = new_path;
  }
  c.target.reboot();
  auto next = c.target.wake(c.record);
  next.recover();
  CHECK(next.view().profiles[0].state == State::rolled_back);
  CHECK(next.view().profiles[0].reason == "boot-default-failed");
  CHECK(c.target.kinds == Kinds{trial, rollback});
  CHECK(c.target.running == old_path);
  CHECK(c.target.boot_default == old_path);
}

TEST_CASE("boot default: confirmed and booted, then revoked: the old one is booted again") {
  Case c;
  auto transaction = c.confirmed_in_time();
  transaction.tick();
  transaction.revoke(0);
  CHECK(transaction.view().profiles[0].state == State::rolled_back);
  CHECK(c.target.kinds == Kinds{trial, boot, rollback});
  CHECK(c.target.boot_default == old_path);
}

TEST_CASE("boot default: the real agent, whose keeper is killed while the boot script runs") {
  if (!NixWorld::has_nix()) {
    WARN("there is no nix-store here: left out");
    return;
  }
  NixWorld world;
  const auto log = world.path("log-of-scripts").string();
  // The first boot script hangs; what comes after it must have stopped it.
  const auto path = world.generation("new",
                                     "echo deploy-rs-activate BOOT=$BOOT >>" + log + "\ntest -e " +
                                         log + ".d || { mkdir " + log + ".d; sleep 300; }",
                                     "echo switch-to-configuration $1 BOOT=$BOOT >>" + log);
  Conversation agent(world);
  const auto reply = agent.ask(PrepareRequest{
      .run = "r", .profiles = {{.name = "system", .closure = path, .boot_after_confirm = true}}});
  REQUIRE(std::holds_alternative<TransactionStatus>(reply));
  const auto& status = std::get<TransactionStatus>(reply);
  CHECK(status.details.at("boot_default") == "after-confirm");
  agent.ask(ActivateRequest{status.transaction, "system"});
  agent.until(State::awaiting_confirm);
  const auto decision = std::get<Decision>(agent.ask(ConfirmRequest{status.transaction, "system"}));
  CHECK(decision.state == State::setting_boot_default);
  CHECK_FALSE(is_final(decision.state));
  while (!std::filesystem::exists(log + ".d")) {
    std::this_thread::yield();
  }
  world.kill_keepers(status.transaction);
  const auto ended = agent.until(State::confirmed);
  CHECK(ended.closure_matches);
  CHECK(belay::read_file(log, 4096) == "switch-to-configuration test BOOT=0\n"
                                       "deploy-rs-activate BOOT=1\n"
                                       "deploy-rs-activate BOOT=1\n");
}

TEST_CASE("boot default: a closure that cannot be tried is refused, and nothing is left of it") {
  if (!NixWorld::has_nix()) {
    WARN("there is no nix-store here: left out");
    return;
  }
  NixWorld world;
  const auto path = world.generation("new", "true");
  Conversation agent(world);
  const auto reply = agent.ask(PrepareRequest{
      .run = "r", .profiles = {{.name = "system", .closure = path, .boot_after_confirm = true}}});
  REQUIRE(std::holds_alternative<Refusal>(reply));
  CHECK(std::get<Refusal>(reply).reason == "no-activation");
  CHECK(std::get<Refusal>(reply).message.find("bootDefault") != std::string::npos);
  CHECK(world.system().empty());
}
