// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/transaction.h"

#include "tests/catch.h"
#include "tests/unit/agent/transaction_case.h"

#include <algorithm>

// What somebody else sets meanwhile is not undone, whatever becomes of the transaction.

using namespace belay::agent;
using belay::agent::test::new_path;
using belay::agent::test::old_path;
using belay::agent::test::SimulatedTarget;
using belay::agent::test::store_path;
using Case = belay::agent::test::TransactionCase;
using std::chrono::seconds;

TEST_CASE("transaction: what somebody else has set since is not undone") {
  Case c;
  const auto theirs = store_path("theirs");
  const auto begun = [&] {
    c.target.append({.step = Step::switching, .profile = 0});
    c.target.set(SimulatedTarget::profile, new_path);
    c.target.append({.step = Step::switched, .profile = 0});
  };
  const auto repair = [&] { c.target.install(50, theirs); };
  auto expected = State::superseded;
  SECTION("when an interrupted activation is taken up") {
    begun();
    repair();
    c.begin().recover();
  }
  SECTION("when a failed script's end is") {
    begun();
    c.target.append({.step = Step::script_starting, .profile = 0});
    c.target.append({.step = Step::script_ended, .profile = 0, .reason = "activation-failed"});
    repair();
    c.begin().recover();
  }
  SECTION("when a rollback is") {
    begun();
    c.target.append({.step = Step::script_starting, .profile = 0});
    c.target.append({.step = Step::script_ended, .profile = 0, .reason = "activation-failed"});
    c.target.append({.step = Step::rolling_back, .profile = 0, .reason = "activation-failed"});
    repair();
    c.begin().recover();
  }
  SECTION("when nothing had been touched") {
    c.target.append({.step = Step::request, .profile = 0});
    repair();
    c.begin().recover();
    expected = State::rolled_back;
  }
  SECTION("when the time to confirm is over, and no confirmation wins any more") {
    auto transaction = c.begin();
    transaction.activate(0);
    repair();
    c.target.clock.advance(seconds(31));
    transaction.tick();
    CHECK(c.target.decided == SimulatedTarget::Decided::expired);
  }
  SECTION("when its expiry was only decided") {
    c.begin().activate(0);
    c.target.decide(0, Verdict::expired);
    repair();
    c.begin().recover();
  }
  const View view(1, decode_journal(c.target.journal_text));
  CHECK(view.profiles[0].state == expected);
  CHECK(view.profiles[0].reason == (expected == State::superseded ? "superseded" : "interrupted"));
  CHECK(c.current() == theirs);
  CHECK(c.target.running == theirs);
}

TEST_CASE("transaction: what others set after it was recorded is not touched") {
  Case c;
  const auto theirs = store_path("theirs");
  c.target.install(42, theirs);
  auto transaction = c.begin();
  transaction.activate(0);
  CHECK(transaction.view().profiles[0].state == State::superseded);
  CHECK(transaction.view().profiles[0].message.find(theirs) != std::string::npos);
  CHECK(transaction.decided());
  CHECK(c.current() == theirs);
  CHECK(c.target.running == theirs);
  CHECK(c.target.runs.empty());
}

TEST_CASE("transaction: what others set while a script ran is not undone when it fails") {
  Case c;
  const auto theirs = store_path("theirs");
  c.target.outcomes[new_path] = [&](const ScriptCall&) {
    c.target.install(77, theirs);
    return SimulatedTarget::exited(1);
  };
  auto transaction = c.begin();
  transaction.activate(0);
  CHECK(transaction.view().profiles[0].state == State::superseded);
  CHECK(c.current() == theirs);
  CHECK(std::count(c.target.runs.begin(), c.target.runs.end(), old_path) == 0);
}

TEST_CASE("transaction: a script that sets its own closure again and fails is rolled back") {
  Case c;
  c.target.outcomes[new_path] = [&](const ScriptCall&) {
    c.target.install(43, new_path);
    return SimulatedTarget::exited(1);
  };
  auto transaction = c.begin();
  transaction.activate(0);
  CHECK(transaction.view().profiles[0].state == State::rolled_back);
  CHECK(c.current() == old_path);
}
