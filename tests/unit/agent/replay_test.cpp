// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/transaction.h"

#include "tests/catch.h"
#include "tests/unit/agent/simulated_target.h"

// Killed between any two lines: each scenario is played once for every point at which the keeper
// can die, and again for every point at which its successor can die too. Whatever the cut, the end
// is one of two: confirmed and new, or recorded and back.

using namespace belay::agent;
using belay::agent::test::Killed;
using belay::agent::test::record_of;
using belay::agent::test::SimulatedTarget;
using belay::agent::test::store_path;
using std::chrono::seconds;

namespace {

const std::string old_path = store_path("old");
const std::string new_path = store_path("new");

struct Scenario {
  const char* name;
  bool had_generation = true;
  bool straight_link = false; ///< the profile was a link into the store
  bool only_runs = false;     ///< a system that was booted over the network: it has no generation
  bool unchanged = false;
  bool script_fails = false;
  bool magic = true;
  bool confirm = true; ///< the runner confirms as soon as it can
  bool abandon = false;
  bool revoke = false;
  bool reboot = false; ///< the machine, not just the keeper, dies
  bool boot_after_confirm = false;
  bool boot_fails = false;
  Mode mode = Mode::activate;
};

class Play {
public:
  explicit Play(const Scenario& scenario) : scenario_(scenario) {
    if (scenario.straight_link) {
      target_.link = old_path;
      target_.running = target_.boot_default = old_path;
    } else if (scenario.only_runs) {
      target_.running = target_.boot_default = old_path;
    } else if (scenario.had_generation) {
      target_.install(40, store_path("older"));
      target_.install(41, scenario.unchanged ? new_path : old_path);
    }
    before_ = {target_.link, target_.numbered, target_.running};
    record_ = record_of(target_.recorded(new_path));
    if (scenario.only_runs) {
      record_.profiles[0].reactivate = old_path;
    }
    record_.profiles[0].wanted.magic_rollback = scenario.magic;
    record_.profiles[0].wanted.boot_after_confirm = scenario.boot_after_confirm;
    record_.profiles[0].wanted.mode = scenario.mode;
    if (scenario.boot_fails) {
      target_.outcomes[new_path] = [](const ScriptCall& call) {
        return SimulatedTarget::exited(call.kind == ScriptCall::Kind::boot ? 3 : 0);
      };
    }
    if (scenario.script_fails) {
      target_.outcomes[new_path] = [](const ScriptCall& call) {
        return SimulatedTarget::exited(goes_back(call.kind) ? 0 : 4);
      };
    }
  }

  /// False once `cut` lies behind the last point.
  bool first_life(int cut) {
    target_.knife.set(cut);
    try {
      auto transaction = target_.wake(record_);
      transaction.note({.step = Step::request, .profile = 0});
      transaction.activate(0);
      live(transaction);
    } catch (const Killed&) {
      die();
      return true;
    }
    target_.knife.put_away();
    return false;
  }

  bool next_life(int cut) {
    target_.knife.set(cut);
    try {
      auto transaction = target_.wake(record_);
      transaction.recover();
      live(transaction);
    } catch (const Killed&) {
      die();
      return true;
    }
    target_.knife.put_away();
    return false;
  }

  void check() const {
    const View view(1, decode_journal(target_.journal_text));
    const auto state = view.profiles[0].state;
    INFO(scenario_.name << ", " << name_of(state) << ", " << view.profiles[0].message);
    CHECK(target_.violations.empty());
    const auto now = target_.read(SimulatedTarget::profile);
    if (scenario_.mode == Mode::dry) {
      return nothing_changed(state);
    }
    if (scenario_.mode == Mode::boot) {
      return check_boot(state);
    }
    if (state == State::confirmed) {
      CHECK(now.generation.path == new_path);
      CHECK(target_.running == new_path);
      CHECK(target_.boot_default == new_path);
      CHECK((in_time_ || !scenario_.magic));
    } else if (state == State::prepared) {
      CHECK(target_.link == before_.link); // died before the request was noted
      CHECK(target_.running == before_.running);
    } else {
      CHECK(state == State::rolled_back);
      CHECK((!promised_ || scenario_.revoke));
      CHECK(target_.link == before_.link);
      CHECK(target_.numbered == before_.numbered);
      const bool nothing_to_go_back_to = before_.running.empty();
      CHECK((target_.running == before_.running || nothing_to_go_back_to));
      CHECK((target_.boot_default == before_.running || nothing_to_go_back_to));
    }
  }

private:
  bool as_it_was() const {
    return target_.link == before_.link && target_.numbered == before_.numbered;
  }

  /// Whatever happens to a dry run, it has happened to nothing else.
  void nothing_changed(State state) const {
    CHECK((state == State::dry_run || state == State::failed || state == State::prepared));
    CHECK((state != State::dry_run || !scenario_.script_fails));
    CHECK(as_it_was());
    CHECK(target_.running == before_.running);
    CHECK(target_.boot_default == before_.running);
    for (const auto kind : target_.kinds) {
      CHECK(kind == ScriptCall::Kind::dry);
    }
  }

  /// What runs is touched by nobody, but after a reboot by way back: then the new one may run.
  void check_boot(State state) const {
    const bool back = state != State::confirmed;
    CHECK((!back || as_it_was()));
    CHECK(target_.boot_default == (back ? before_.running : new_path));
    if (!scenario_.reboot) {
      CHECK(target_.running == before_.running);
      for (const auto kind : target_.kinds) {
        CHECK((kind == ScriptCall::Kind::boot || kind == ScriptCall::Kind::boot_back));
      }
    } else if (back) {
      CHECK(target_.running == before_.running);
    }
    CHECK((!back || !promised_ || scenario_.revoke));
  }

  void die() {
    target_.knife.put_away();
    if (scenario_.reboot) {
      target_.reboot();
    }
  }

  /// The runner's part, and time.
  void live(Transaction& transaction) {
    for (int turn = 0; !transaction.decided(); ++turn) {
      REQUIRE(turn < 100);
      if (scenario_.confirm && transaction.view().profiles[0].state == State::awaiting_confirm) {
        in_time_ |= confirm();
      }
      if (scenario_.abandon && !in_time_) {
        transaction.abandon();
      }
      target_.clock.advance(seconds(1));
      transaction.tick();
      never_booted_early(transaction.view().profiles[0].state);
    }
    const bool now = transaction.view().profiles[0].state == State::confirmed;
    promised_ |= now || (in_time_ && !scenario_.boot_after_confirm);
    if (scenario_.revoke) {
      transaction.revoke(0);
    }
  }

  /// What is on trial must not be what a reboot brings up.
  void never_booted_early(State state) const {
    if (scenario_.boot_after_confirm && !scenario_.unchanged && state == State::awaiting_confirm) {
      CHECK(target_.boot_default != new_path);
    }
  }

  /// By serve, which the knife does not hit: what it was told it has told.
  bool confirm() {
    if (target_.decided == SimulatedTarget::Decided::pending) {
      target_.decided = SimulatedTarget::Decided::confirmed;
    }
    return target_.decided == SimulatedTarget::Decided::confirmed;
  }

  Scenario scenario_;
  SimulatedTarget target_;
  struct {
    std::optional<std::string> link;
    std::map<int, std::string> numbered;
    std::string running;
  } before_;
  Record record_;
  bool in_time_ = false;  ///< a runner got in before the deadline
  bool promised_ = false; ///< a runner was told "confirmed"
};

void play_every_cut(const Scenario& scenario) {
  int first = 0;
  for (bool cut_first = true; cut_first; ++first) {
    bool cut_second = true;
    for (int second = 0; cut_second; ++second) {
      Play play(scenario);
      cut_first = play.first_life(first);
      cut_second = cut_first && play.next_life(second);
      if (cut_second) {
        REQUIRE_FALSE(play.next_life(10000));
      }
      INFO("cut at " << first << ", then at " << second);
      play.check();
    }
  }
  CHECK(first > (scenario.mode == Mode::dry ? 8 : 20)); // the knife was there
}

} // namespace

TEST_CASE("replay: every cut ends confirmed and new, or recorded and back") {
  const auto scenario = GENERATE(values<Scenario>({
      {.name = "confirmed"},
      {.name = "confirmed, rebooted", .reboot = true},
      {.name = "not confirmed", .confirm = false},
      {.name = "not confirmed, rebooted", .confirm = false, .reboot = true},
      {.name = "script fails", .script_fails = true},
      {.name = "script fails, rebooted", .script_fails = true, .reboot = true},
      {.name = "without magic", .magic = false},
      {.name = "first generation fails", .had_generation = false, .script_fails = true},
      {.name = "first generation confirmed", .had_generation = false},
      {.name = "straight link, not confirmed", .straight_link = true, .confirm = false},
      {.name = "no generation but a system, fails", .only_runs = true, .script_fails = true},
      {.name = "no generation but a system, not confirmed", .only_runs = true, .confirm = false},
      {.name = "unchanged", .unchanged = true},
      {.name = "unchanged, fails", .unchanged = true, .script_fails = true},
      {.name = "abandoned", .confirm = false, .abandon = true},
      {.name = "confirmed, revoked", .revoke = true},
      {.name = "boot after confirm", .boot_after_confirm = true},
      {.name = "boot after confirm, rebooted", .reboot = true, .boot_after_confirm = true},
      {.name = "boot after confirm, fails", .boot_after_confirm = true, .boot_fails = true},
      {.name = "boot after confirm, fails, rebooted",
       .reboot = true,
       .boot_after_confirm = true,
       .boot_fails = true},
      {.name = "boot after confirm, not confirmed", .confirm = false, .boot_after_confirm = true},
      {.name = "boot after confirm, not confirmed, rebooted",
       .confirm = false,
       .reboot = true,
       .boot_after_confirm = true},
      {.name = "boot after confirm, without magic",
       .magic = false,
       .reboot = true,
       .boot_after_confirm = true},
      {.name = "boot after confirm, script fails",
       .script_fails = true,
       .boot_after_confirm = true},
      {.name = "boot after confirm, unchanged", .unchanged = true, .boot_after_confirm = true},
      {.name = "boot after confirm, first generation",
       .had_generation = false,
       .boot_after_confirm = true},
      {.name = "boot after confirm, revoked", .revoke = true, .boot_after_confirm = true},
      {.name = "boot", .mode = Mode::boot},
      {.name = "boot, rebooted", .reboot = true, .mode = Mode::boot},
      {.name = "boot, fails", .script_fails = true, .mode = Mode::boot},
      {.name = "boot, fails, rebooted", .script_fails = true, .reboot = true, .mode = Mode::boot},
      {.name = "boot, revoked", .revoke = true, .mode = Mode::boot},
      {.name = "boot, unchanged", .unchanged = true, .mode = Mode::boot},
  }));
  play_every_cut(scenario);
}

TEST_CASE("replay: wherever a dry run is cut, nothing was changed and nothing is rolled back") {
  play_every_cut(GENERATE(values<Scenario>({
      {.name = "dry", .mode = Mode::dry},
      {.name = "dry, rebooted", .reboot = true, .mode = Mode::dry},
      {.name = "dry, fails", .script_fails = true, .mode = Mode::dry},
      {.name = "dry, abandoned", .abandon = true, .mode = Mode::dry},
      {.name = "dry, revoked", .revoke = true, .mode = Mode::dry},
      {.name = "dry, fails, revoked", .script_fails = true, .revoke = true, .mode = Mode::dry},
      {.name = "dry, first generation", .had_generation = false, .mode = Mode::dry},
  })));
}

TEST_CASE("replay: a script that outlives its keeper and cannot be stopped") {
  SimulatedTarget target;
  target.install(41, old_path);
  const auto record = record_of(target.recorded(new_path));
  target.knife.set(10000);
  target.outcomes[new_path] = [](const ScriptCall&) -> ScriptResult { throw Killed{}; };
  CHECK_THROWS_AS(target.wake(record).activate(0), Killed);
  target.knife.put_away();
  target.script_alive = target.unstoppable = true;
  auto transaction = target.wake(record);
  transaction.recover();
  CHECK(transaction.view().profiles[0].state == State::rollback_failed);
  CHECK(target.violations.empty());
}
