// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "tests/catch.h"
#include "tests/unit/plan/resolve_world.h"

// Which nodes and profiles a plan has, and how each is reached.

namespace belay::plan {

using World = ResolveWorld;

TEST_CASE("nodes and profiles come in order, with what they need") {
  World world;
  world.web().profiles_order = {"system", "system"};
  const Plan plan = world.plan();
  CHECK(world.lines().empty());
  REQUIRE(plan.nodes.size() == 2);
  CHECK(plan.nodes[0].name == "db-1");
  CHECK(plan.nodes[1].name == "web-1");
  CHECK(names_of(plan.nodes[1]) == Names{"system", "app"});
  CHECK(plan.nodes[1].hostname == "host");
  CHECK(plan.nodes[1].profiles[0].path.string() == hash + "closure");
  CHECK(plan.nodes[1].profiles[0].derivation->string() == hash + "closure.drv");
  CHECK(plan.flakes == Names{"."});
}

TEST_CASE("only what is selected is in the plan") {
  World world;
  world.input.flakes[0].nodes["db-1"].selected = false;
  world.web().profiles.erase("app");
  world.web().profiles_order = {"app", "system"};
  const Plan plan = world.plan();
  CHECK(world.lines().empty());
  REQUIRE(plan.nodes.size() == 1);
  CHECK(names_of(plan.nodes[0]) == Names{"system"});
}

TEST_CASE("each profile has a login of its own") {
  World world;
  world.web().settings.ssh_opts = Names{"-p", "2022"};
  world.web().profiles["app"].settings.ssh_user = "alice";
  world.web().profiles["app"].settings.ssh_opts = Names{"-i", "key"};
  world.file.nodes["web-1"].profiles["app"].settings.extra_ssh_opts = {"-4"};
  SECTION("from the flake and the plan file") {
    const Plan plan = world.with_file();
    CHECK(world.lines().empty());
    const auto& profiles = plan.nodes[1].profiles;
    REQUIRE(profiles.size() == 2);
    CHECK(profiles[0].name == "app");
    CHECK(profiles[0].login == Login{"alice", {"-i", "key", "-p", "2022", "-4"}});
    CHECK(profiles[0].user == "alice");
    CHECK(profiles[1].login == Login{"root", {"-p", "2022"}});
    CHECK(profiles[1].user == "root");
  }
  SECTION("from the command line, for all") {
    world.input.overrides.settings.ssh_user = "bob";
    world.input.overrides.settings.ssh_opts = Names{};
    const auto plan = world.plan(); // a loop does not keep what its range came from
    for (const auto& profile : plan.nodes[1].profiles) {
      CHECK(profile.login == Login{"bob", {}});
    }
  }
  SECTION("a bad one is named with its profile") {
    world.web().profiles["app"].settings.ssh_user = "-oProxyCommand=x";
    CHECK(world.problem().starts_with("error: node \"web-1\", profile \"app\": sshUser "));
  }
}

TEST_CASE("sudo's password belongs to the profiles that need sudo") {
  World world;
  world.web().profiles["app"].settings.user = "app";
  world.file.settings.sudo_password_env = "SUDO";
  world.file.nodes["web-1"].profiles["app"].settings.sudo_password_file = "/run/secrets/app";
  const Plan plan = world.with_file();
  const Node& web = plan.nodes[1];
  CHECK(web.profiles[0].sudo_password ==
        SecretSource{SecretSource::Kind::file, "/run/secrets/app"});
  CHECK_FALSE(web.profiles[1].sudo_password); // root logs in as root
}

TEST_CASE("a path without a derivation is used as it is, wherever one would build it") {
  World world;
  world.web().profiles["app"].derivations.clear();
  world.web().profiles["app"].settings.remote_build = true;
  CHECK_FALSE(world.plan().nodes[1].profiles[0].derivation);
  CHECK_FALSE(world.plan().nodes[1].profiles[0].remote_build);
  CHECK(world.lines().empty());
}

TEST_CASE("a node that was not evaluated is in the plan with its error") {
  World world;
  world.web().evaluated = false;
  world.web().profiles.clear();
  world.file.nodes["web-1"].hostname = "h";
  SECTION("all of it") {
    const Plan plan = world.with_file();
    CHECK(world.lines().empty());
    CHECK(plan.nodes[1].evaluation_error ==
          "node \"web-1\" could not be evaluated; see: nix eval '.#deploy.nodes.web-1'");
    CHECK(plan.nodes[1].unevaluated_profiles == Names{"app", "system"});
    CHECK(plan.nodes[1].hostname == "h");
  }
  SECTION("with what Nix said, on one line that ends") {
    world.web().error = "no such kernel\nat \x1b[31mflake.nix:3";
    CHECK(*world.plan().nodes[1].evaluation_error ==
          "node \"web-1\" could not be evaluated: no such kernel at flake.nix:3; see: nix eval "
          "'.#deploy.nodes.web-1'");
    world.web().error = std::string(10'000, 'x');
    CHECK(world.plan().nodes[1].evaluation_error->size() < 700);
  }
  SECTION("one profile of it") {
    world.input.targets = {{".", "web-1", "app"}};
    CHECK(world.with_file().nodes[1].unevaluated_profiles == Names{"app"});
  }
}

TEST_CASE("a skipped node has no problems") {
  World world;
  world.file.nodes["web-1"].skip = true;
  world.web().profiles["app"].path = "nonsense";
  world.web().hostname = "";
  const Plan plan = world.with_file();
  CHECK(world.lines().empty());
  CHECK(plan.nodes[1].skip);
}

TEST_CASE("host, host key and profile path come from the plan file, the host from the line") {
  World world;
  world.file.nodes["web-1"].hostname = "yaml";
  world.file.nodes["web-1"].host_key = "ssh-ed25519 K";
  world.file.nodes["web-1"].profiles["app"].profile_path = "/p";
  world.web().profiles["system"].profile_path = "/q";
  const Plan plan = world.with_file();
  CHECK(plan.nodes[1].hostname == "yaml");
  CHECK(plan.nodes[1].host_key == "ssh-ed25519 K");
  CHECK(plan.nodes[1].profiles[0].profile_path == "/p");
  CHECK(plan.nodes[1].profiles[1].profile_path == "/q");
  world.input.overrides.hostname = "line";
  CHECK(world.plan().nodes[0].hostname == "line");
  CHECK(world.plan().nodes[1].hostname == "line");
}

TEST_CASE("targets come from the command line, else the plan file, else this folder") {
  Overrides overrides;
  PlanFile file;
  CHECK(selected_targets(overrides, nullptr).at(0).flake == ".");
  CHECK(selected_targets(overrides, &file).at(0).flake == ".");
  file.targets = {"a#b", "c"};
  CHECK(selected_targets(overrides, &file).size() == 2);
  overrides.targets = {"d#e.f"};
  CHECK(selected_targets(overrides, &file).size() == 1);
  CHECK(selected_targets(overrides, &file).at(0).profile == "f");
  overrides.targets = {".#a.b.c"};
  CHECK_THROWS_AS(selected_targets(overrides, &file), Error);
}

} // namespace belay::plan
