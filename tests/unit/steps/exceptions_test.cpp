// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"
#include "tests/thread_limit.h"
#include "tests/unit/steps/activated_target.h"

#include <stdexcept>

// What is no Error: a library that throws its own, a machine that has no thread left. It ends
// neither the process nor the care for what was begun, and never looks like a success.

using belay::Error;
using belay::ErrorKind;
using belay::event::Draft;
using belay::event::NodeRolledBack;
using belay::event::Outcome;
using belay::event::Rollback;
using belay::event::Stage;
using belay::event::StageStarted;
using belay::fakes::FakeWorld;
using belay::run::StepKind;
using belay::tests::current;
using belay::tests::StepHarness;

namespace {

/// Throws once, where `matches` says so of what is told.
std::function<void(const Draft&)> thrower(std::function<bool(const Draft&)> matches) {
  return [matches = std::move(matches), thrown = false](const Draft& draft) mutable {
    if (!thrown && matches(draft)) {
      thrown = true;
      throw std::runtime_error("nobody expected this");
    }
  };
}

} // namespace

TEST_CASE("a ping that throws whatever it likes ends nothing") {
  FakeWorld world;
  world.hosts["web"].login_exception = "no more of anything";
  const auto transport = world.transport();
  const belay::run::Contact contact{*transport, "run-1", ""};
  belay::plan::Node node;
  node.name = node.hostname = "web";
  belay::run::NodeLink link;
  auto& owner = link.owners.emplace_back();
  owner.transaction = "tx-1";
  CHECK_NOTHROW(link.ping({contact, node, belay::Wait()}));
  CHECK(world.hosts["web"].confirm_connections == 1);
  CHECK(owner.retry_at > belay::BootClock::now());
}

TEST_CASE("logins that throw whatever they like do not confirm, and the target is asked on") {
  StepHarness harness;
  harness.host().login_exception = "no more of anything";
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(current(harness) == StepHarness::old_closure("system"));
  CHECK(result.outcome == Outcome::error);
  CHECK(result.reason == "rollback-failed"); // it is back, says the old connection
  CHECK(result.message.find("no new login gets in: no more of anything") != std::string::npos);
}

TEST_CASE("a profile whose activation ends in an exception is unknown, and the others go back") {
  StepHarness harness({.profiles = {"app", "system"}});
  harness.on_tell = thrower([](const Draft& draft) {
    return std::holds_alternative<StageStarted>(draft.payload) &&
           draft.subject.profile == "system" && draft.subject.stage == Stage::confirm;
  });
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::error);
  CHECK(result.reason == "state-unknown");
  CHECK(result.rollback == Rollback::unknown);
  CHECK(result.message.find("nobody expected this") != std::string::npos);
  CHECK(current(harness, "app") == StepHarness::old_closure("app"));
}

TEST_CASE("a profile whose way back ends in an exception keeps no other one from going back") {
  StepHarness harness({.profiles = {"app", "system"}});
  harness.on_tell = thrower([](const Draft& draft) {
    return std::holds_alternative<NodeRolledBack>(draft.payload) &&
           draft.subject.profile == "system";
  });
  harness.bring_over();
  REQUIRE(harness.step(StepKind::activate).outcome == Outcome::success);
  const auto result = harness.step(StepKind::rollback);
  CHECK(result.outcome == Outcome::error);
  CHECK(result.rollback == Rollback::unknown);
  CHECK(current(harness, "app") == StepHarness::old_closure("app"));
}

TEST_CASE("a run that can have one of its threads and not the next has none, and says why") {
  FakeWorld world;
  const auto transport = world.transport();
  const auto store = world.store();
  belay::run::AgentFinder agents({}, "x86_64-linux", *store);
  belay::plan::Plan plan;
  plan.nodes.resize(2);
  std::optional<Error> refused;
  {
    const belay::tests::ThreadLimit one(1);
    try {
      const belay::run::StepRunner runner(plan, *transport, *store, agents, {});
    } catch (const Error& error) {
      refused = error;
    }
  }
  REQUIRE(refused);
  CHECK(refused->kind() == ErrorKind::system);
  CHECK(refused->message().find("keeping in touch with the targets") != std::string::npos);
}
