// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/transaction.h"

#include "tests/catch.h"
#include "tests/unit/agent/transaction_case.h"

// What a transaction undoes, or is told to undo, and to what it goes back.

using namespace belay::agent;
using belay::agent::test::new_path;
using belay::agent::test::old_path;
using belay::agent::test::record_of;
using belay::agent::test::SimulatedTarget;
using belay::agent::test::store_path;
using Case = belay::agent::test::TransactionCase;

namespace {

ScriptResult ended(ScriptResult::End end) {
  ScriptResult result;
  result.end = end;
  return result;
}

} // namespace

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

TEST_CASE("transaction: an old script that cannot be started, or watched, is tried for a minute") {
  Case c;
  c.target.outcomes[new_path] = [](const ScriptCall&) { return SimulatedTarget::exited(4); };
  int tries = 0;
  SECTION("no process to be had, then no descriptor, then both") {
    c.target.outcomes[old_path] = [&](const ScriptCall&) {
      ++tries;
      return tries == 1   ? ended(ScriptResult::End::unstarted)
             : tries == 2 ? ended(ScriptResult::End::lost)
                          : SimulatedTarget::exited(0);
    };
    auto transaction = c.begin();
    transaction.activate(0);
    CHECK(transaction.view().profiles[0].state == State::rolled_back);
    CHECK(tries == 3);
  }
  SECTION("never") {
    const auto begin = c.target.clock.now();
    c.target.outcomes[old_path] = [&](const ScriptCall&) {
      return ended(ScriptResult::End::unstarted);
    };
    auto transaction = c.begin();
    transaction.activate(0);
    CHECK(transaction.view().profiles[0].state == State::rollback_failed);
    CHECK(c.target.clock.now() - begin < std::chrono::seconds(70));
  }
  SECTION("something of it runs on") {
    c.target.outcomes[old_path] = [&](const ScriptCall&) {
      ++tries;
      auto result = ended(ScriptResult::End::lost);
      result.emptied = false;
      return result;
    };
    auto transaction = c.begin();
    transaction.activate(0);
    CHECK(transaction.view().profiles[0].state == State::rollback_failed);
    CHECK(tries == 1);
  }
}

TEST_CASE("transaction: without a script a generation is back, but not what ran beside it") {
  Case c;
  c.target.outcomes[new_path] = [](const ScriptCall&) { return SimulatedTarget::exited(4); };
  const auto ran = store_path("ran");
  for (const auto& path : {old_path, ran}) {
    c.target.outcomes[path] = [](const ScriptCall&) { return ended(ScriptResult::End::none); };
  }
  const bool drifted = GENERATE(false, true);
  if (drifted) {
    c.record.profiles[0].reactivate = ran;
  }
  auto transaction = c.begin();
  transaction.activate(0);
  CHECK(transaction.view().profiles[0].state ==
        (drifted ? State::rollback_failed : State::rolled_back));
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
