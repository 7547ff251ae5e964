// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/transaction.h"
#include "engine/base/error.h"
#include "tests/catch.h"
#include "tests/unit/agent/agent_process.h"
#include "tests/unit/agent/simulated_target.h"

// --dry-activate and --boot, as the target does them. The first changes nothing whatever happens;
// the second touches nothing that runs.

using namespace belay::agent;
using belay::agent::test::Conversation;
using belay::agent::test::NixWorld;
using belay::agent::test::record_of;
using belay::agent::test::SimulatedTarget;
using belay::agent::test::store_path;
using std::chrono::seconds;
using Kind = ScriptCall::Kind;
using Kinds = std::vector<Kind>;
namespace fs = std::filesystem;

namespace {

const std::string old_path = store_path("old");
const std::string new_path = store_path("new");

struct Case {
  SimulatedTarget target;
  Record record;

  explicit Case(Mode mode) {
    target.install(41, old_path);
    record = record_of(target.recorded(new_path));
    record.profiles[0].wanted.mode = mode;
  }
  void exits(int status) {
    target.outcomes[new_path] = [status](const ScriptCall&) {
      return SimulatedTarget::exited(status);
    };
  }
  std::string current() const { return target.read(SimulatedTarget::profile).generation.path; }
};

} // namespace

TEST_CASE("dry run: the script is called with the closure for a profile, and that is all") {
  Case c(Mode::dry);
  auto transaction = c.target.wake(c.record);
  transaction.activate(0);
  transaction.activate(0); // asked again
  CHECK(transaction.view().profiles[0].state == State::dry_run);
  CHECK(c.target.kinds == Kinds{Kind::dry});
  CHECK(c.target.called_with == new_path);
  CHECK(c.target.numbered.size() == 1);
  CHECK(c.current() == old_path);
}

TEST_CASE("dry run: a failing script is a failure, and nothing is undone") {
  Case c(Mode::dry);
  c.exits(4);
  auto transaction = c.target.wake(c.record);
  transaction.activate(0);
  transaction.revoke(0);
  transaction.abandon();
  const auto& view = transaction.view().profiles[0];
  CHECK(view.state == State::failed);
  CHECK(view.reason == "activation-failed");
  CHECK(view.exit_status == 4);
  CHECK(c.target.kinds == Kinds{Kind::dry});
}

TEST_CASE("dry run: a script that cannot be stopped is a failure, no lost host") {
  Case c(Mode::dry);
  c.target.outcomes[new_path] = [](const ScriptCall&) {
    return ScriptResult{.end = ScriptResult::End::timed_out, .emptied = false};
  };
  auto transaction = c.target.wake(c.record);
  transaction.activate(0);
  CHECK(transaction.view().profiles[0].state == State::failed);
  CHECK(transaction.view().profiles[0].reason == "script-not-stopped");
}

TEST_CASE("boot: set, booted next, and nothing that runs is touched") {
  Case c(Mode::boot); // with magicRollback on: there is nothing that one could confirm
  auto transaction = c.target.wake(c.record);
  transaction.activate(0);
  CHECK(transaction.view().profiles[0].state == State::confirmed);
  CHECK(c.target.kinds == Kinds{Kind::boot});
  CHECK(c.target.called_with == SimulatedTarget::profile);
  CHECK(c.current() == new_path);
  CHECK(c.target.boot_default == new_path);
  CHECK(c.target.running == old_path);

  SECTION("taken back, the old one is booted again, and still runs undisturbed") {
    transaction.revoke(0);
    CHECK(transaction.view().profiles[0].state == State::rolled_back);
    CHECK(c.target.kinds == Kinds{Kind::boot, Kind::boot_back});
    CHECK(c.current() == old_path);
    CHECK(c.target.boot_default == old_path);
  }
  SECTION("a reboot does not undo it") {
    c.target.reboot();
    auto next = c.target.wake(c.record);
    next.recover();
    CHECK(next.view().profiles[0].state == State::confirmed);
    CHECK(c.target.running == new_path);
    CHECK(c.current() == new_path);
    SECTION("and what is taken back then is what runs") {
      next.revoke(0);
      CHECK(next.view().profiles[0].state == State::rolled_back);
      CHECK(c.target.kinds == Kinds{Kind::boot, Kind::rollback});
      CHECK(c.target.running == old_path);
      CHECK(c.target.boot_default == old_path);
    }
  }
}

TEST_CASE("boot: a failing script gives the boot default back") {
  Case c(Mode::boot);
  c.exits(3);
  auto transaction = c.target.wake(c.record);
  SECTION("with autoRollback") {
    transaction.activate(0);
    CHECK(transaction.view().profiles[0].state == State::rolled_back);
    CHECK(c.target.kinds == Kinds{Kind::boot, Kind::boot_back});
    CHECK(c.current() == old_path);
    CHECK(c.target.boot_default == old_path);
    CHECK(c.target.running == old_path);
  }
  SECTION("without it is left") {
    c.record.profiles[0].wanted.auto_rollback = false;
    transaction.activate(0);
    CHECK(transaction.view().profiles[0].state == State::failed);
    CHECK(c.current() == new_path);
  }
  SECTION("and where it cannot be given back, that is said") {
    c.target.outcomes[old_path] = [](const ScriptCall&) { return SimulatedTarget::exited(1); };
    transaction.activate(0);
    CHECK(transaction.view().profiles[0].state == State::rollback_failed);
    CHECK(transaction.view().profiles[0].message.find("boot default") != std::string::npos);
  }
}

TEST_CASE("boot: a power cut while its script runs ends with the old generation, running") {
  Case c(Mode::boot);
  c.target.append({.step = Step::request, .profile = 0});
  c.target.append({.step = Step::switching, .profile = 0});
  c.target.set(SimulatedTarget::profile, new_path);
  c.target.append({.step = Step::switched, .profile = 0, .generation = 42});
  c.target.append({.step = Step::script_starting, .profile = 0});
  c.target.boot_default = new_path; // the boot loader was done already
  c.target.reboot();
  REQUIRE(c.target.running == new_path);
  auto next = c.target.wake(c.record);
  next.recover();
  CHECK(next.view().profiles[0].state == State::rolled_back);
  CHECK(c.target.running == old_path);
  CHECK(c.target.boot_default == old_path);
  CHECK(c.current() == old_path);
}

namespace {

constexpr const char* modal = R"(echo "$DRY_ACTIVATE $BOOT $PWD $PROFILE"; exit ${STATUS:-0})";

PrepareRequest asking(const std::string& closure, Mode mode) {
  return {
      .run = "run-1",
      .holder_url = "",
      .agent = "",
      .profiles = {
          {.name = "system", .closure = closure, .activation_timeout = seconds(20), .mode = mode}}};
}

} // namespace

TEST_CASE("modes: with a real Nix and a real keeper") {
  if (!NixWorld::has_nix()) {
    WARN("there is no nix-store here: left out");
    return;
  }
  NixWorld world;
  const auto closure = world.generation("new", modal);
  const auto profile = world.path("state/profiles/system").string();
  Conversation agent(world);

  SECTION("dry") {
    const auto reply = agent.ask(asking(closure, Mode::dry));
    REQUIRE(std::holds_alternative<TransactionStatus>(reply));
    const auto& opened = std::get<TransactionStatus>(reply);
    CHECK(opened.details.at("mode") == "dry-activate");
    CHECK_FALSE(opened.details.contains("reboot_protection"));
    agent.ask(ActivateRequest{opened.transaction, "system"});
    const auto ended = agent.until(State::dry_run);
    CHECK(agent.output == std::vector<std::string>{"1 0 " + closure + " " + closure});
    CHECK(ended.current.path.empty());
    CHECK_FALSE(fs::exists(world.path("state/profiles/system")));
    agent.ask(FinishRequest{opened.transaction});
  }
  SECTION("boot") {
    const auto reply = agent.ask(asking(closure, Mode::boot));
    REQUIRE(std::holds_alternative<TransactionStatus>(reply));
    const auto& opened = std::get<TransactionStatus>(reply);
    CHECK(opened.details.at("mode") == "boot");
    agent.ask(ActivateRequest{opened.transaction, "system"});
    const auto ended = agent.until(State::confirmed);
    CHECK(agent.output == std::vector<std::string>{"0 1 " + closure + " " + profile});
    CHECK(ended.closure_matches);
    agent.ask(FinishRequest{opened.transaction});
  }
  SECTION("a script that knows no modes is refused: it would activate") {
    const auto plain = world.generation("plain", "echo activating");
    for (const auto mode : {Mode::dry, Mode::boot}) {
      const auto reply = agent.ask(asking(plain, mode));
      REQUIRE(std::holds_alternative<Refusal>(reply));
      CHECK(std::get<Refusal>(reply).reason == "no-activation");
    }
  }
}
