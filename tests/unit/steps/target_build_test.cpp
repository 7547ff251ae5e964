// SPDX-License-Identifier: Apache-2.0
#include "engine/run/target_build.h"
#include "tests/catch.h"
#include "tests/unit/steps/step_harness.h"

#include <algorithm>

using belay::event::Outcome;
using belay::event::Stage;
using belay::run::StepKind;
using belay::tests::StepHarness;

namespace {

/// Of the target; what is built here is told without a node.
belay::event::BuildFinished told_build(const StepHarness& harness) {
  for (const auto& draft : harness.told) {
    const auto* done = std::get_if<belay::event::BuildFinished>(&draft.payload);
    if (done != nullptr && draft.subject.node == "web") {
      return *done;
    }
  }
  FAIL("no build.finished");
  return {};
}

} // namespace

TEST_CASE("a target builds its own profile, as many jobs at once as it is set up for") {
  StepHarness harness({.remote_builds = {"system"}});
  harness.step(StepKind::build);
  CHECK(harness.told.empty()); // it covers nothing of this node
  const auto result = harness.step(StepKind::copy);
  REQUIRE(result.outcome == Outcome::success);
  const auto closure = StepHarness::new_closure("system");
  CHECK(harness.host().built.contains(closure));
  CHECK_FALSE(harness.world.local_store.contains(closure));
  CHECK(harness.host().built_with.jobs == 4);
  CHECK(harness.host().built_with.cores == 2);
  CHECK(harness.host().store.contains(belay::fakes::fake_path("belay-agent").string()));
  CHECK(harness.host().connections == 1);
  CHECK(harness.ended("system", Stage::build).details.at("built_on") == "web");
  CHECK(told_build(harness).built_on == "web");
  CHECK(harness.step(StepKind::activate).outcome == Outcome::success);
}

TEST_CASE("what is built here and what is built there come to the same node") {
  StepHarness harness({.profiles = {"app", "system"}, .remote_builds = {"system"}});
  harness.step(StepKind::build);
  CHECK(harness.ended("app", Stage::build).outcome == Outcome::success);
  harness.step(StepKind::copy);
  CHECK(harness.host().built == std::set<std::string>{StepHarness::new_closure("system")});
  CHECK(harness.host().store.contains(StepHarness::new_closure("app")));
  CHECK(harness.ended("system", Stage::copy).changed == false);
}

TEST_CASE("a build that fails on the target is a failure before anything is copied") {
  StepHarness harness({.profiles = {"app", "system"}, .remote_builds = {"system"}});
  harness.world.unbuildable.insert(StepHarness::new_closure("system"));
  harness.step(StepKind::build);
  const auto result = harness.step(StepKind::copy);
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.reason == "build-failed");
  CHECK(result.message == "on web: builder failed with exit code 1");
  CHECK_FALSE(result.touched);
  CHECK(harness.ended("system", Stage::build).outcome == Outcome::failure);
  CHECK(harness.ended("app", Stage::copy).outcome == Outcome::skipped);
  CHECK_FALSE(harness.host().store.contains(StepHarness::new_closure("app")));
  CHECK(told_build(harness).outcome == Outcome::failure);
}

TEST_CASE("what does not get to the target is no failure of the build") {
  StepHarness harness({.remote_builds = {"system"}});
  harness.host().refuses_sources = true;
  harness.step(StepKind::build);
  const auto result = harness.step(StepKind::copy);
  CHECK(result.outcome == Outcome::error);
  CHECK(result.reason == "copy-failed");
  CHECK_THAT(result.message, Catch::Matchers::Contains("no space left on device"));
  CHECK(harness.host().built.empty());
}

TEST_CASE("what a target has built already is not built again") {
  StepHarness harness({.remote_builds = {"system"}});
  harness.host().store.insert(StepHarness::new_closure("system"));
  harness.bring_over();
  CHECK(told_build(harness).cached);
  CHECK(harness.ended("system", Stage::build).changed == false);
}

TEST_CASE("a build on the target is cancelled, not failed") {
  StepHarness harness({.remote_builds = {"system"}});
  harness.step(StepKind::build);
  harness.host().while_building = [&] { harness.work.cancel(); };
  const auto result = harness.step(StepKind::copy);
  CHECK(result.outcome == Outcome::cancelled);
  CHECK(harness.ended("system", Stage::build).outcome == Outcome::cancelled);
}

TEST_CASE("what a target of another system builds may bring the agent for it") {
  StepHarness harness({.remote_builds = {"system"}});
  harness.host().uname = "Linux riscv64";
  harness.world.mentioning.insert(belay::fakes::fake_path("system-2.drv").string());
  harness.step(StepKind::build);
  SECTION("it does") {
    const auto agent = belay::fakes::fake_path("riscv-agent").string();
    harness.host().built_agent = "motd\n" + agent + "\n";
    const auto result = harness.step(StepKind::copy);
    INFO(result.message);
    CHECK(result.outcome == Outcome::success);
    CHECK_FALSE(harness.host().store.contains(belay::fakes::fake_path("belay-agent").string()));
  }
  SECTION("it does not") {
    const auto result = harness.step(StepKind::copy);
    CHECK(result.reason == "agent-missing");
    CHECK_THAT(result.message, Catch::Matchers::Contains("riscv64-linux"));
    CHECK(harness.host().transactions.empty());
  }
}

TEST_CASE("a target that others build for, builds for nobody knows which systems") {
  const std::string own = "system = x86_64-linux\nextra-platforms = i686-linux x86_64-v1-linux\n";
  using Systems = std::vector<std::string>;
  CHECK(belay::run::capacity_from(own).systems ==
        Systems{"x86_64-linux", "i686-linux", "x86_64-v1-linux"});
  CHECK(belay::run::capacity_from(own + "extra-platforms =\n").systems.size() == 3);
  CHECK(belay::run::capacity_from(own + "builders = @/etc/nix/machines\n").systems.size() == 3);
  CHECK(belay::run::capacity_from(own + "builders = ssh://big aarch64-linux\n").systems.empty());
  CHECK(belay::run::capacity_from(own + "machines = /etc/nix/machines\n").systems.empty());
  CHECK(belay::run::capacity_from("").systems.empty());
}

TEST_CASE("what a target does not say of its capacity is Nix's default") {
  const auto all = belay::run::capacity_from("motd\ncores = 3\nmax-jobs = 16\n");
  CHECK(all.jobs == 16);
  CHECK(all.cores == 3);
  for (const char* text : {"", "cores = many\nmax-jobs =\n", "sh: nix: not found\n"}) {
    const auto none = belay::run::capacity_from(text);
    CHECK(none.jobs == 1);
    CHECK(none.cores == 0);
  }
  CHECK(belay::run::capacity_from("max-jobs = 0\n").jobs == 0); // it builds nothing by itself
  const auto none = belay::run::capacity_from("");
  CHECK(none.silence == std::chrono::seconds(0));
  CHECK((none.substitute && !none.fallback && !none.keep_failed));
  const auto own = belay::run::capacity_from("max-silent-time = 90\nsubstitute = false\n"
                                             "fallback = true\nkeep-failed = true\n");
  CHECK(own.silence == std::chrono::seconds(90));
  CHECK((!own.substitute && own.fallback && own.keep_failed));
}
