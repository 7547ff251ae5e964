// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/transaction.h"

#include "engine/base/error.h"
#include "tests/catch.h"
#include "tests/unit/agent/simulated_target.h"

#include <algorithm>

using namespace belay::agent;
using belay::agent::test::record_of;
using belay::agent::test::SimulatedTarget;
using belay::agent::test::store_path;
using std::chrono::seconds;

namespace {

const std::string old_path = store_path("old");
const std::string new_path = store_path("new");

struct Case {
  SimulatedTarget target;
  Record record;

  explicit Case(const std::string& closure = new_path) {
    target.install(41, old_path);
    record = record_of(target.recorded(closure));
  }
  PrepareRequest::Profile& wanted() { return record.profiles[0].wanted; }
  Transaction begin() { return target.wake(record); }
  std::string current() const { return target.read(SimulatedTarget::profile).generation.path; }
};

ScriptResult ended(ScriptResult::End end) {
  ScriptResult result;
  result.end = end;
  return result;
}

} // namespace

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

TEST_CASE("transaction: a failed script is rolled back") {
  Case c;
  c.target.outcomes[new_path] = [](const ScriptCall&) { return SimulatedTarget::exited(4); };
  auto transaction = c.begin();
  transaction.activate(0);
  const auto& view = transaction.view().profiles[0];
  CHECK(view.state == State::rolled_back);
  CHECK(view.reason == "activation-failed");
  CHECK(view.exit_status == 4);
  CHECK(c.target.runs == std::vector<std::string>{new_path, old_path});
}

TEST_CASE("transaction: autoRollback off leaves a failed activation as it is") {
  Case c;
  c.wanted().auto_rollback = false;
  c.target.outcomes[new_path] = [](const ScriptCall&) { return SimulatedTarget::exited(4); };
  auto transaction = c.begin();
  transaction.activate(0);
  CHECK(transaction.view().profiles[0].state == State::failed);
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

TEST_CASE("transaction: a script that did not end in time") {
  Case c;
  c.target.outcomes[new_path] = [](const ScriptCall&) {
    return ended(ScriptResult::End::timed_out);
  };
  auto transaction = c.begin();
  transaction.activate(0);
  CHECK(transaction.view().profiles[0].state == State::rolled_back);
  CHECK(transaction.view().profiles[0].reason == "activation-timeout");
}

TEST_CASE("transaction: beside a script that cannot be stopped nothing is rolled back") {
  Case c;
  c.target.outcomes[new_path] = [](const ScriptCall&) {
    auto result = ended(ScriptResult::End::timed_out);
    result.emptied = false;
    return result;
  };
  auto transaction = c.begin();
  transaction.activate(0);
  CHECK(transaction.view().profiles[0].state == State::rollback_failed);
  CHECK(c.current() == new_path);
  CHECK(c.target.runs.size() == 1);
}

TEST_CASE("transaction: a profile that could not be set is verified, nothing is activated") {
  Case c;
  c.target.nix_env_broken = true;
  auto transaction = c.begin();
  transaction.activate(0);
  CHECK(transaction.view().profiles[0].state == State::rolled_back);
  CHECK(transaction.view().profiles[0].reason == "switch-failed");
  CHECK(c.current() == old_path);
  CHECK(c.target.runs.empty());
}

TEST_CASE("transaction: an unchanged closure that fails is kept and activated once more") {
  Case c(old_path);
  int runs = 0;
  SECTION("which works") {
    c.target.outcomes[old_path] = [&](const ScriptCall&) {
      return SimulatedTarget::exited(runs++ == 0 ? 4 : 0);
    };
    auto transaction = c.begin();
    transaction.activate(0);
    CHECK(transaction.view().profiles[0].state == State::rolled_back);
  }
  SECTION("which fails too") {
    c.target.outcomes[old_path] = [&](const ScriptCall&) {
      return SimulatedTarget::exited(4 + 0 * runs++);
    };
    auto transaction = c.begin();
    transaction.activate(0);
    CHECK(transaction.view().profiles[0].state == State::rollback_failed);
  }
  CHECK(runs == 2);
  CHECK(c.target.link == "system-41-link");
  CHECK(c.target.numbered.contains(41));
}

TEST_CASE("transaction: a first generation that fails is removed, nothing is activated again") {
  Case c;
  c.target.link.reset();
  c.target.numbered.clear();
  c.record = record_of(c.target.recorded(new_path));
  c.target.outcomes[new_path] = [](const ScriptCall&) { return SimulatedTarget::exited(1); };
  auto transaction = c.begin();
  transaction.activate(0);
  CHECK(transaction.view().profiles[0].state == State::rolled_back);
  CHECK_FALSE(c.target.link);
  CHECK(c.target.numbered.empty());
  CHECK(c.target.runs == std::vector<std::string>{new_path});
}

TEST_CASE("transaction: what ran is activated again, not what the profile said") {
  Case c;
  const auto ran = store_path("ran");
  c.record.profiles[0].reactivate = ran;
  c.target.outcomes[new_path] = [](const ScriptCall&) { return SimulatedTarget::exited(1); };
  auto transaction = c.begin();
  transaction.activate(0);
  CHECK(c.current() == old_path);
  CHECK(c.target.running == ran);
  CHECK(c.target.called_with == ran); // not the link: it leads to the other one
}

TEST_CASE("transaction: a rollback that meets a lock tries again for a minute") {
  Case c;
  c.target.outcomes[new_path] = [](const ScriptCall&) { return SimulatedTarget::exited(1); };
  int met = 0;
  const auto locked = [&](const ScriptCall&) {
    ++met;
    auto result = SimulatedTarget::exited(11);
    result.tail = "Could not acquire lock\n";
    return result;
  };
  SECTION("and gets it") {
    c.target.outcomes[old_path] = [&](const ScriptCall&) {
      return met < 5 ? locked({}) : SimulatedTarget::exited(0);
    };
    auto transaction = c.begin();
    transaction.activate(0);
    CHECK(transaction.view().profiles[0].state == State::rolled_back);
    CHECK(met == 5);
  }
  SECTION("or not") {
    c.target.outcomes[old_path] = locked;
    auto transaction = c.begin();
    transaction.activate(0);
    CHECK(transaction.view().profiles[0].state == State::rollback_failed);
    CHECK(met > 10);
    CHECK(met < 40);
    CHECK(c.current() == old_path);
  }
}

TEST_CASE("transaction: revoke") {
  Case c;
  auto transaction = c.begin();
  transaction.activate(0);
  SECTION("of a confirmed profile rolls it back") {
    c.target.decide(0, Verdict::confirmed);
    transaction.tick();
    transaction.revoke(0);
    CHECK(transaction.view().profiles[0].state == State::rolled_back);
    CHECK(transaction.view().profiles[0].reason == "revoked");
    CHECK(c.target.running == old_path);
  }
  SECTION("of one that awaits its confirmation decides first") {
    transaction.revoke(0);
    CHECK(transaction.view().profiles[0].state == State::rolled_back);
    CHECK(c.target.decided == SimulatedTarget::Decided::expired);
  }
  SECTION("of one that somebody else has set since touches nothing") {
    c.target.decide(0, Verdict::confirmed);
    transaction.tick();
    c.target.install(50, store_path("theirs"));
    transaction.revoke(0);
    CHECK(transaction.view().profiles[0].state == State::superseded);
    CHECK(c.current() == store_path("theirs"));
    CHECK(c.target.runs.size() == 1);
  }
  SECTION("twice is once") {
    transaction.revoke(0);
    const auto runs = c.target.runs.size();
    transaction.revoke(0);
    CHECK(transaction.view().profiles[0].state == State::rolled_back);
    CHECK(c.target.runs.size() == runs);
  }
}

TEST_CASE("transaction: what has ended is not activated again") {
  Case c;
  c.target.append({.step = Step::request, .profile = 0});
  auto transaction = c.begin();
  transaction.recover();
  transaction.activate(0); // asked once more, by a run that knows no better
  CHECK(transaction.view().profiles[0].state == State::rolled_back);
  CHECK(c.target.runs.empty());
}

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

TEST_CASE("transaction: abandon") {
  Case c;
  auto transaction = c.begin();
  SECTION("rolls back at once what awaits its confirmation") {
    transaction.activate(0);
    transaction.abandon();
    CHECK(transaction.view().profiles[0].state == State::rolled_back);
    CHECK(transaction.view().profiles[0].reason == "abandoned");
  }
  SECTION("while a script runs rolls back when it ends, even where it ended well") {
    c.target.outcomes[new_path] = [&](const ScriptCall&) {
      transaction.abandon();
      return SimulatedTarget::exited(0);
    };
    transaction.activate(0);
    CHECK(transaction.view().profiles[0].state == State::rolled_back);
    CHECK(transaction.view().profiles[0].reason == "abandoned");
  }
  SECTION("leaves confirmed profiles alone") {
    transaction.activate(0);
    c.target.decide(0, Verdict::confirmed);
    transaction.abandon();
    CHECK(transaction.view().profiles[0].state == State::confirmed);
  }
  SECTION("keeps what was not begun from beginning") {
    transaction.abandon();
    transaction.activate(0);
    CHECK(transaction.view().profiles[0].state == State::prepared);
    CHECK(c.current() == old_path);
  }
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
