// SPDX-License-Identifier: Apache-2.0
#include "engine/run/follow.h"
#include "tests/catch.h"
#include "tests/unit/steps/activated_target.h"

// An activation whose connections die, hang or cannot be had: what is asked again, and what is
// said of a target that cannot be heard.

using belay::agent::State;
using belay::event::Outcome;
using belay::event::Rollback;
using belay::run::StepKind;
using belay::tests::agent_logs;
using belay::tests::current;
using belay::tests::script;
using belay::tests::StepHarness;

namespace {

State state_of(StepHarness& harness) {
  return harness.host().transactions.begin()->second.profiles.front().state;
}

} // namespace

TEST_CASE("nobody gets in any more: the target goes back and the working connection says so") {
  StepHarness harness;
  harness.host().refuses_confirm = true;
  harness.host().opens_when_back = true;
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.reason == "confirm-timeout");
  CHECK(result.rollback == Rollback::succeeded);
  CHECK(current(harness) == StepHarness::old_closure("system"));
}

TEST_CASE(
    "the target went back, but nobody gets in: no clean rollback, whoever still is connected") {
  StepHarness harness;
  harness.host().refuses_confirm = true;
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(current(harness) == StepHarness::old_closure("system"));
  CHECK(result.outcome == Outcome::error);
  CHECK(result.reason == "rollback-failed");
  CHECK(result.rollback == Rollback::failed);
  CHECK(result.message.find("is back, but no new login gets in: ") != std::string::npos);
  CHECK(harness.rollbacks().empty());
}

TEST_CASE("a target that cannot say for a moment how it is has not failed") {
  StepHarness harness;
  harness.host().states_refused = 1;
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  INFO(result.message);
  CHECK(result.outcome == Outcome::success);
  CHECK(harness.host().states_refused == 0);
}

TEST_CASE("a network that is cut comes back with the old generation and the verdict is fetched") {
  StepHarness harness;
  script(harness, {.cuts_network = true});
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(agent_logs(harness) == "what the host did\n");
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.reason == "confirm-timeout");
  CHECK(result.rollback == Rollback::succeeded);
}

TEST_CASE("connections that die in the activation do not matter: a new one confirms") {
  StepHarness harness;
  script(harness, {.drops_connections = true});
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  INFO(result.message);
  CHECK(result.outcome == Outcome::success);
  CHECK(state_of(harness) == State::confirmed);
  CHECK(agent_logs(harness) == "what the host did\n"); // what it told meanwhile went nowhere
}

TEST_CASE("a confirmation whose answer is lost is asked for again, not doubted") {
  StepHarness harness;
  harness.host().loses_confirm_reply = true;
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  INFO(result.message);
  CHECK(result.outcome == Outcome::success);
  CHECK(state_of(harness) == State::confirmed);
}

TEST_CASE("a target that never comes back is unknown, neither failed nor fine") {
  StepHarness harness;
  script(harness, {.drops_connections = true, .for_ever = true});
  harness.bring_over();
  harness.host().refuses_confirm = true;
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::error);
  CHECK(result.reason == "state-unknown");
  CHECK(result.rollback == Rollback::unknown);
  CHECK(result.touched);
  CHECK(harness.host().confirm_connections < 8); // it is asked less and less often
}

TEST_CASE("who asks again waits 1, 2, 4, and then always 4 seconds") {
  belay::Duration delay{};
  std::vector<belay::Duration> delays;
  for (int i = 0; i < 5; ++i) {
    delays.push_back(delay = belay::run::next_delay(delay));
  }
  using std::chrono::seconds;
  CHECK(delays ==
        std::vector<belay::Duration>{seconds(1), seconds(2), seconds(4), seconds(4), seconds(4)});
}

TEST_CASE("a confirmation that does not get in at first is tried again while there is time") {
  StepHarness harness({.confirm_timeout = std::chrono::seconds(20)});
  harness.host().refused_logins = 1;
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::success);
  CHECK(result.confirmed);
  CHECK(harness.host().confirm_connections == 2);
}

TEST_CASE("other owners whose connections are silent do not cost the window for the confirmation") {
  belay::tests::NodeSpec spec{.confirm_timeout = std::chrono::seconds(14),
                              .ping = belay::Duration::zero()};
  for (const std::string user : {"alice", "bob", "carol", "dave", "erin"}) {
    spec.profiles.push_back(user);
    spec.logins[user] = {user, {}};
    spec.users[user] = user;
  }
  StepHarness harness(spec);
  script(harness, {.hushes_connections = true, .meanwhile = [&] { harness.work.cancel(); }});
  harness.bring_over();
  // Ours: 5 s of silence, a login, and a pause for which one of the others has 5 s.
  harness.host().refused_logins = 1;
  const auto result = harness.step(StepKind::activate);
  CHECK(result.message.find("cancelled before profile alice") != std::string::npos);
  CHECK(result.confirmed);
  CHECK(current(harness) == StepHarness::new_closure("system"));
}

TEST_CASE("nor do they keep a target that went back from being called back") {
  StepHarness harness({.profiles = {"system", "app"},
                       .logins = {{"app", {"alice", {}}}},
                       .users = {{"app", "alice"}},
                       .ping = belay::Duration::zero()});
  script(harness, {.exit_status = 1, .hushes_connections = true});
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  INFO(result.message);
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.rollback == Rollback::succeeded);
}

TEST_CASE("a target that is gone before it was asked for anything is unreachable, not unknown") {
  StepHarness harness;
  harness.bring_over();
  harness.host().refuses_confirm = true;
  ++harness.host().epoch;
  const auto first = harness.step(StepKind::activate);
  CHECK(first.outcome == Outcome::error); // it was asked over the dying connection
  CHECK(current(harness) == StepHarness::old_closure("system"));
}

TEST_CASE("an activation that was begun and then refused is followed to its end") {
  StepHarness harness;
  harness.bring_over();
  harness.host().fails_after_activate = true;
  const auto result = harness.step(StepKind::activate);
  INFO(result.message);
  CHECK(result.outcome == Outcome::success);
  CHECK(result.confirmed);
}
