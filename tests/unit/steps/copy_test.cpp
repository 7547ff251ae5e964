// SPDX-License-Identifier: Apache-2.0
#include "engine/run/build_step.h"
#include "tests/catch.h"
#include "tests/unit/steps/step_harness.h"

#include <algorithm>

using belay::event::Outcome;
using belay::event::Stage;
using belay::run::StepKind;
using belay::tests::StepHarness;

TEST_CASE("build and copy bring closure and agent over and take the lock") {
  StepHarness harness;
  harness.bring_over();
  CHECK(harness.host().store.contains(StepHarness::new_closure("system")));
  CHECK(harness.host().store.contains(belay::fakes::fake_path("belay-agent").string()));
  CHECK(harness.host().transactions.size() == 1);
  CHECK(harness.host().connections == 1);
  CHECK(harness.ended("system", Stage::copy).changed == true);
  CHECK(harness.ended("system", Stage::lock).generation_before == 1);
  CHECK(harness.host().activated.empty());
}

TEST_CASE("a build that fails names the log's first line and copies nothing") {
  StepHarness harness;
  harness.world.unbuildable.insert(StepHarness::new_closure("system"));
  const auto result = harness.step(StepKind::build);
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.reason == "build-failed");
  CHECK(result.message == "builder failed with exit code 1");
  CHECK_FALSE(result.touched);
}

TEST_CASE("a closure that nothing activates fails its build, and its path is named") {
  StepHarness harness;
  harness.world.inert.insert(StepHarness::new_closure("system"));
  const auto result = harness.step(StepKind::build);
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.reason == "no-activation");
  CHECK(result.message.find("nothing activates " + StepHarness::new_closure("system")) == 0);
  CHECK(harness.ended("system", Stage::build).reason == "no-activation");
}

TEST_CASE("a closure is signed before it is copied, where there is a key") {
  StepHarness harness({.signing_key = "ci.key"});
  harness.bring_over();
  CHECK(harness.world.signed_by.at(StepHarness::new_closure("system")) == "ci.key");
  CHECK(harness.ended("system", Stage::sign).outcome == Outcome::success);
  CHECK_FALSE(harness.host().checked_signatures);
}

TEST_CASE("what cannot be signed is not copied") {
  StepHarness harness({.signing_key = "ci.key"});
  harness.world.bad_keys.insert("ci.key");
  harness.step(StepKind::build);
  const auto result = harness.step(StepKind::copy);
  CHECK(result.outcome == Outcome::error);
  CHECK(result.reason == "sign-failed");
  CHECK(harness.ended("system", Stage::sign).outcome == Outcome::error);
  CHECK(harness.ended("system", Stage::copy).outcome == Outcome::skipped);
  CHECK(harness.host().connections == 0);
}

TEST_CASE("signatures are checked where that is asked for") {
  StepHarness harness({.check_signatures = true});
  harness.bring_over();
  CHECK(harness.host().checked_signatures);
}

TEST_CASE("what was built is kept by links, and what cannot be kept is no success") {
  StepHarness harness({.result_folder = "gc"});
  CHECK(harness.step(StepKind::build).outcome == Outcome::success);
  CHECK(harness.world.links ==
        std::map<std::string, std::string>{{"gc/web/system", StepHarness::new_closure("system")}});
  StepHarness full({.result_folder = "gc"});
  full.world.unwritable.insert("gc/web/system");
  const auto result = full.step(StepKind::build);
  CHECK(result.outcome == Outcome::error);
  CHECK(result.message.find("read-only") != std::string::npos);
}

TEST_CASE("names of nodes and profiles stay in the folder of the links") {
  const auto link = [](const char* node, const char* profile) {
    return belay::run::result_link("gc", node, profile).string();
  };
  CHECK(link("web-1", "system") == "gc/web-1/system");
  CHECK(link("web.example.com", "it's \"x\" ü") == "gc/web.example.com/it's \"x\" ü");
  CHECK(link("..", ".") == "gc/%2E%2E/%2E");
  CHECK(link("../../etc", "/x") == "gc/..%2F..%2Fetc/%2Fx");
  CHECK(link("a\nb", "a%2Fb") == "gc/a%0Ab/a%252Fb");
  CHECK(link("", "...") == "gc/%/...");
}

TEST_CASE("a host that cannot be reached is an error, untouched, with every stage accounted for") {
  StepHarness harness;
  harness.host().reachable = false;
  harness.step(StepKind::build);
  const auto result = harness.step(StepKind::copy);
  CHECK(result.outcome == Outcome::error);
  CHECK(result.reason == "unreachable");
  CHECK_FALSE(result.touched);
  CHECK(harness.ended("system", Stage::copy).outcome == Outcome::error);
  CHECK(harness.ended("system", Stage::lock).outcome == Outcome::skipped);
}

TEST_CASE(
    "a copy that met another user of the target's store is tried once more, no other one is") {
  StepHarness harness;
  harness.step(StepKind::build);
  SECTION("two were the first ones there") {
    harness.host().store_errors = {"error: SQLite database '/nix/var/nix/db/db.sqlite' is busy\n"};
    CHECK(harness.step(StepKind::copy).outcome == Outcome::success);
    CHECK(harness.ended("system", Stage::copy).attempts == 2);
  }
  SECTION("and again") {
    harness.host().store_errors = {"error: SQLite database 'x' is busy",
                                   "error: SQLite database 'x' is busy"};
    const auto result = harness.step(StepKind::copy);
    CHECK(result.reason == "copy-failed");
    CHECK(result.message.find("is busy") != std::string::npos);
  }
  SECTION("no room") {
    harness.host().store_errors = {"error: writing to file: No space left on device"};
    CHECK(harness.step(StepKind::copy).reason == "copy-failed");
    CHECK(harness.host().connections == 1);
  }
}

TEST_CASE("a held lock is found before anything is activated and names the holder") {
  StepHarness harness;
  harness.host().lock_holder = "other-run";
  harness.step(StepKind::build);
  const auto result = harness.step(StepKind::copy);
  CHECK(result.reason == "lock-held");
  CHECK(result.message.find("other-run") != std::string::npos);
  CHECK(harness.ended("system", Stage::copy).outcome == Outcome::success);
}

TEST_CASE("a survey connects once, and copy goes on over that connection") {
  StepHarness harness;
  CHECK(harness.step(StepKind::survey).outcome == Outcome::success);
  CHECK(harness.told.empty());
  harness.bring_over();
  CHECK(harness.host().connections == 1);
}

TEST_CASE("a survey that fails is a copy that has ended before it was begun") {
  StepHarness harness({.profiles = {"app", "system"}});
  SECTION("nobody answers") {
    harness.host().reachable = false;
    CHECK(harness.step(StepKind::survey).reason == "unreachable");
  }
  SECTION("no agent could run there") {
    harness.host().uname = "Linux aarch64";
    const auto result = harness.step(StepKind::survey);
    CHECK(result.reason == "agent-missing");
    CHECK(result.message.find("aarch64-linux") != std::string::npos);
  }
  SECTION("it is cancelled") {
    harness.work.cancel();
    CHECK(harness.step(StepKind::survey).outcome == Outcome::cancelled);
  }
  CHECK_FALSE(harness.ended("app", Stage::copy).reason.empty());
  CHECK(harness.ended("app", Stage::lock).outcome == Outcome::skipped);
  CHECK(harness.ended("system", Stage::copy).outcome == Outcome::skipped);
}

TEST_CASE("a closure may bring the agent that the runner does not have") {
  StepHarness harness;
  harness.host().uname = "Linux aarch64";
  const auto closure = StepHarness::new_closure("system");
  SECTION("it is built, and does not") {
    harness.world.local_store.insert(closure);
    CHECK(harness.step(StepKind::survey).reason == "agent-missing");
  }
  SECTION("it is built, and does") {
    harness.world.local_store.insert(closure);
    harness.world.bringing.insert(closure);
    CHECK(harness.step(StepKind::survey).outcome == Outcome::success);
  }
  SECTION("it is not built yet, and made from one; after all it has none") {
    harness.world.mentioning.insert(belay::fakes::fake_path("system-2.drv").string());
    CHECK(harness.step(StepKind::survey).outcome == Outcome::success);
    harness.step(StepKind::build);
    CHECK(harness.step(StepKind::copy).reason == "agent-missing");
  }
}

TEST_CASE("a closure that is built for another system than the target's is warned of") {
  const auto derivation = belay::fakes::fake_path("system-2.drv").string();
  const auto warned = [&](const char* system) {
    StepHarness fresh;
    fresh.world.systems[derivation] = system;
    REQUIRE(fresh.step(StepKind::survey).outcome == Outcome::success);
    return std::count_if(fresh.told.begin(), fresh.told.end(), [&](const auto& draft) {
      const auto* line = std::get_if<belay::event::LogLine>(&draft.payload);
      return line != nullptr && draft.level == belay::event::Level::warn &&
             line->text.find(system) != std::string::npos;
    });
  };
  CHECK(warned("aarch64-linux") == 1);
  CHECK(warned("x86_64-linux") == 0);
  CHECK(warned("i686-linux") == 0);
  CHECK(warned("builtin") == 0);
}

TEST_CASE("a cancelled copy is cancelled, not failed") {
  StepHarness harness;
  harness.step(StepKind::build);
  harness.work.cancel();
  CHECK(harness.step(StepKind::copy).outcome == Outcome::cancelled);
}
