// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/transaction.h"

#include "tests/catch.h"
#include "tests/unit/agent/transaction_case.h"

// A transaction whose script ends well: who confirms it, until when, and whether anybody has to.

using namespace belay::agent;
using belay::agent::test::new_path;
using belay::agent::test::old_path;
using belay::agent::test::SimulatedTarget;
using Case = belay::agent::test::TransactionCase;
using std::chrono::seconds;

TEST_CASE("transaction: activated and confirmed") {
  Case c;
  auto transaction = c.begin();
  transaction.activate(0);
  CHECK(transaction.view().profiles[0].state == State::awaiting_confirm);
  CHECK(c.current() == new_path);
  CHECK_FALSE(transaction.decided());
  CHECK(c.target.decide(0, Verdict::confirmed) == Verdict::confirmed);
  transaction.tick();
  CHECK(transaction.view().profiles[0].state == State::confirmed);
  CHECK(transaction.decided());
  CHECK(c.target.running == new_path);
}

TEST_CASE("transaction: the confirm deadline counts from the end of the script") {
  Case c;
  c.wanted().confirm_timeout = seconds(30);
  c.target.outcomes[new_path] = [&](const ScriptCall&) {
    c.target.clock.advance(seconds(200));
    return SimulatedTarget::exited(0);
  };
  auto transaction = c.begin();
  transaction.activate(0);
  c.target.clock.advance(seconds(29));
  transaction.tick();
  CHECK(transaction.view().profiles[0].state == State::awaiting_confirm);
  c.target.clock.advance(seconds(1));
  transaction.tick();
  CHECK(transaction.view().profiles[0].state == State::rolled_back);
  CHECK(transaction.view().profiles[0].reason == "confirm-timeout");
  CHECK(c.current() == old_path);
  CHECK(c.target.running == old_path);
  CHECK(c.target.decide(0, Verdict::confirmed) == Verdict::expired);
}

TEST_CASE("transaction: a confirmation that came first is not expired afterwards") {
  Case c;
  auto transaction = c.begin();
  transaction.activate(0);
  REQUIRE(c.target.decide(0, Verdict::confirmed) == Verdict::confirmed);
  c.target.clock.advance(seconds(3600));
  transaction.tick();
  CHECK(transaction.view().profiles[0].state == State::confirmed);
  CHECK(c.current() == new_path);
}

TEST_CASE("transaction: confirmed by a hair: between the keeper's look and its decision") {
  Case c;
  auto transaction = c.begin();
  transaction.activate(0);
  c.target.clock.advance(seconds(31));
  c.target.before_decision = [&] { c.target.decided = SimulatedTarget::Decided::confirmed; };
  transaction.tick();
  CHECK(transaction.view().profiles[0].state == State::confirmed);
  CHECK(c.current() == new_path);
  CHECK(c.target.runs.size() == 1);
}

TEST_CASE("transaction: autoRollback off does not undo what was never confirmed, magic does") {
  Case c;
  c.wanted().auto_rollback = false;
  auto transaction = c.begin();
  transaction.activate(0);
  c.target.clock.advance(seconds(31));
  transaction.tick();
  CHECK(transaction.view().profiles[0].state == State::rolled_back);
}

TEST_CASE("transaction: magicRollback off confirms by itself") {
  Case c;
  c.wanted().magic_rollback = false;
  auto transaction = c.begin();
  transaction.activate(0);
  CHECK(transaction.view().profiles[0].state == State::confirmed);
}
