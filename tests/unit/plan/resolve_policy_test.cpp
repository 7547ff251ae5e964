// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"
#include "tests/unit/plan/resolve_world.h"

// How each profile is activated and taken back: who of flake, plan file and command line decides.

namespace belay::plan {

using World = ResolveWorld;

TEST_CASE("policy: built-in, plan file, command line") {
  World world;
  SECTION("built-in") {
    const Policy policy = world.plan().policy;
    CHECK(policy.on_failure == OnFailure::stop);
    CHECK(policy.rollback_succeeded);
    CHECK(policy.parallel == 8);
    CHECK(policy.limits.evaluate == 1);
    CHECK(policy.limits.build == 8);
    CHECK(policy.limits.copy == 4);
    CHECK(policy.limits.activate == 8);
    CHECK(policy.grace == Seconds(6));
    CHECK(policy.lock_wait == Seconds(60));
    CHECK(policy.deadline == Seconds(0));
  }
  SECTION("continue does not roll back others unless told") {
    world.file.on_failure = OnFailure::proceed;
    CHECK_FALSE(world.with_file().policy.rollback_succeeded);
    world.file.rollback_succeeded = true;
    CHECK(world.with_file().policy.rollback_succeeded);
    world.input.overrides.rollback_succeeded = false;
    CHECK_FALSE(world.with_file().policy.rollback_succeeded);
  }
  SECTION("--auto-rollback false covers it, as in deploy-rs") {
    world.input.overrides.settings.auto_rollback = false;
    world.input.overrides.rollback_succeeded = true;
    CHECK_FALSE(world.plan().policy.rollback_succeeded);
  }
  SECTION("limits follow parallel") {
    world.file.parallel = 2;
    world.file.limit_build = 3;
    const Policy policy = world.with_file().policy;
    CHECK(policy.limits.copy == 2);
    CHECK(policy.limits.activate == 2);
    CHECK(policy.limits.build == 3);
    world.file.limit_build.reset();
    world.input.overrides.parallel = 16;
    CHECK(world.with_file().policy.limits.build == 16);
    CHECK(world.with_file().policy.limits.copy == 4);
    CHECK(world.with_file().policy.limits.activate == 16);
  }
  SECTION("times of the run: the command line above the plan file") {
    world.file.lock_wait = Seconds(5);
    world.file.deadline = Seconds(600);
    CHECK(world.with_file().policy.lock_wait == Seconds(5));
    CHECK(world.with_file().policy.deadline == Seconds(600));
    world.input.overrides.lock_wait = Seconds(0);
    world.input.overrides.deadline = Seconds(30);
    CHECK(world.with_file().policy.lock_wait == Seconds(0));
    CHECK(world.with_file().policy.deadline == Seconds(30));
  }
  SECTION("grace and reports") {
    world.file.grace = Seconds(9);
    world.file.reports = {"e", "j"};
    world.input.overrides.reports.junit = "J";
    const Plan plan = world.with_file();
    CHECK(plan.policy.grace == Seconds(9));
    CHECK(plan.reports.events == "e");
    CHECK(plan.reports.junit == "J");
    CHECK(plan.file == "belay.yaml");
  }
}

TEST_CASE("a dry run confirms nothing and takes nothing back, whatever is asked for") {
  World world;
  world.input.overrides.mode = Mode::dry_activate;
  world.input.overrides.rollback_succeeded = true;
  world.input.overrides.settings.auto_rollback = true;
  world.file.settings.boot_default = BootDefault::after_confirm;
  const Plan plan = world.with_file();
  CHECK(plan.policy.mode == Mode::dry_activate);
  CHECK_FALSE(plan.policy.rollback_succeeded);
  const Profile& profile = plan.nodes.at(0).profiles.at(0);
  CHECK(profile.mode == Mode::dry_activate);
  CHECK_FALSE(profile.auto_rollback);
  CHECK_FALSE(profile.magic_rollback);
  CHECK(profile.boot_default == BootDefault::with_activation);
  CHECK(plan_to_table(plan).find("dry run: changes nothing") != std::string::npos);
}

TEST_CASE("for boot there is nothing to confirm, but something to take back") {
  World world;
  world.input.overrides.mode = Mode::boot;
  const Plan plan = world.with_file();
  CHECK(plan.policy.rollback_succeeded);
  const Profile& profile = plan.nodes.at(0).profiles.at(0);
  CHECK(profile.mode == Mode::boot);
  CHECK(profile.auto_rollback);
  CHECK_FALSE(profile.magic_rollback);
  CHECK(plan_to_table(plan).find("for the next boot") != std::string::npos);
  CHECK(plan_to_json(plan).find("\"mode\": \"boot\"") != std::string::npos);
}

} // namespace belay::plan
