// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/transaction.h"

#include "engine/base/error.h"
#include "tests/catch.h"
#include "tests/unit/agent/transaction_case.h"

#include <algorithm>

// A transaction whose keeper, disk or machine goes away under it: the next one brings it to its
// end.

using namespace belay::agent;
using belay::agent::test::new_path;
using belay::agent::test::old_path;
using belay::agent::test::SimulatedTarget;
using Case = belay::agent::test::TransactionCase;

TEST_CASE("transaction: another boot has expired what was not confirmed") {
  Case c;
  SECTION("while it was awaited") {
    c.begin().activate(0);
  }
  SECTION("and the script had only just ended") {
    c.target.append({.step = Step::switching, .profile = 0});
    c.target.set(SimulatedTarget::profile, new_path);
    c.target.append({.step = Step::script_starting, .profile = 0});
    c.target.append({.step = Step::script_ended, .profile = 0, .exit_status = 0, .boot = "boot-1"});
  }
  c.target.reboot();
  auto next = c.begin();
  next.recover(); // at once, whatever the clock says
  CHECK(next.view().profiles[0].state == State::rolled_back);
  CHECK(next.view().profiles[0].reason == "confirm-timeout");
  CHECK(c.current() == old_path);
}

TEST_CASE("transaction: what was confirmed before a reboot stays") {
  Case c;
  c.begin().activate(0);
  c.target.decide(0, Verdict::confirmed);
  c.target.reboot();
  auto next = c.begin();
  next.recover();
  CHECK(next.view().profiles[0].state == State::confirmed);
  CHECK(c.current() == new_path);
}

TEST_CASE("transaction: confirmed although the wait could not be noted") {
  struct LateDisk final : Journal {
    explicit LateDisk(SimulatedTarget& target) : target_(target) {}
    void append(const Entry& entry) override {
      target_.append(entry); // seen by whoever reads along
      if (entry.step == Step::awaiting_confirm) {
        target_.decide(0, Verdict::confirmed);
        throw belay::Error(belay::ErrorKind::system, "cannot sync the journal");
      }
    }
    SimulatedTarget& target_;
  };
  Case c;
  LateDisk disk(c.target);
  Transaction transaction(c.record, View(1),
                          {disk, c.target, c.target, c.target, c.target.clock, "boot-1"});
  transaction.activate(0);
  CHECK(transaction.view().profiles[0].state == State::confirmed);
  CHECK(c.target.running == new_path);
}

TEST_CASE("transaction: a disk on which nothing can be noted") {
  struct FullDisk final : Journal {
    void append(const Entry& entry) override {
      if (entry.step == full_from || full) {
        full = true;
        throw belay::Error(belay::ErrorKind::system, "no space left on device");
      }
    }
    Step full_from = Step::switching;
    bool full = false;
  };
  Case c;
  FullDisk disk;
  disk.full_from = GENERATE(values({Step::switching, Step::switched, Step::script_starting,
                                    Step::script_ended, Step::awaiting_confirm}));
  Transaction transaction(c.record, View(1),
                          {disk, c.target, c.target, c.target, c.target.clock, "boot-1"});
  transaction.activate(0);
  INFO("full from " << name_of(disk.full_from));
  CHECK(transaction.view().profiles[0].state == State::rolled_back);
  CHECK(c.current() == old_path);
  CHECK(c.target.running == old_path);
}

TEST_CASE("transaction: an old generation that takes its keeper with it is not run for ever") {
  Case c;
  c.target.outcomes[new_path] = [](const ScriptCall&) { return SimulatedTarget::exited(1); };
  c.target.outcomes[old_path] = [](const ScriptCall&) -> ScriptResult {
    throw belay::agent::test::Killed{};
  };
  int lives = 0;
  for (bool ended = false; !ended && lives < 10; ++lives) {
    auto transaction = c.begin();
    try {
      transaction.recover();
      transaction.activate(0);
      CHECK(transaction.view().profiles[0].state == State::rollback_failed);
      CHECK(transaction.view().profiles[0].message.find("3 times") != std::string::npos);
      ended = transaction.decided();
    } catch (const belay::agent::test::Killed&) {
    }
  }
  CHECK(lives == 4);
  CHECK(c.current() == old_path);
  CHECK(std::count(c.target.runs.begin(), c.target.runs.end(), old_path) == 3);
}

TEST_CASE("transaction: a keeper that others killed twice on the way back is made good") {
  Case c;
  int kills = 2;
  c.target.outcomes[new_path] = [](const ScriptCall&) { return SimulatedTarget::exited(1); };
  c.target.outcomes[old_path] = [&kills](const ScriptCall&) {
    return kills-- > 0 ? throw belay::agent::test::Killed{} : SimulatedTarget::exited(0);
  };
  CHECK_THROWS_AS(c.begin().activate(0), belay::agent::test::Killed);
  CHECK_THROWS_AS(c.begin().recover(), belay::agent::test::Killed);
  auto transaction = c.begin();
  transaction.recover();
  CHECK(transaction.view().profiles[0].state == State::rolled_back);
  CHECK(c.target.running == old_path);
}

TEST_CASE("transaction: a boot script that takes its keeper with it is not run for ever") {
  Case c;
  c.wanted().boot_after_confirm = true;
  c.begin().activate(0);
  c.target.decide(0, Verdict::confirmed);
  c.target.outcomes[new_path] = [](const ScriptCall&) -> ScriptResult {
    throw belay::agent::test::Killed{};
  };
  for (int i = 0; i < 3; ++i) {
    CHECK_THROWS_AS(c.begin().recover(), belay::agent::test::Killed);
  }
  auto transaction = c.begin();
  transaction.recover();
  CHECK(transaction.view().profiles[0].state == State::rolled_back);
  CHECK(transaction.view().profiles[0].reason == "boot-default-failed");
  CHECK(c.current() == old_path);
}
