// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"
#include "tests/unit/plan/resolve_world.h"

// What a plan says of names and values that nobody can have meant.

namespace belay::plan {

using World = ResolveWorld;
using Catch::Matchers::Contains;

TEST_CASE("unknown names are answered with what was probably meant") {
  World world;
  SECTION("node of a target on the command line") {
    world.input.targets = {{".", "web1", std::nullopt}};
    world.input.overrides.targets = {".#web1"};
    world.file.targets = {".#other"};
    world.file.targets_mark = Mark{2, 3};
    CHECK(world.problem() == "error: flake \".\" has no node \"web1\"; did you mean \"web-1\"?\n");
  }
  SECTION("node of a target in the plan file") {
    world.input.targets = {{".", "web1", std::nullopt}};
    world.file.targets = {".#web1"};
    world.file.targets_mark = Mark{2, 10};
    CHECK(world.problem().starts_with("belay.yaml:2:10: error: flake \".\" has no node \"web1\""));
  }
  SECTION("profile of a target") {
    world.input.targets = {{".", "web-1", "sistem"}};
    CHECK(world.problem() ==
          "error: node \"web-1\" has no profile \"sistem\"; did you mean \"system\"?\n");
  }
  SECTION("node in the plan file, also one that is not selected") {
    world.input.flakes[0].nodes["db-1"].selected = false;
    world.file.nodes["db-1"];
    world.file.nodes["db-11"].mark = {4, 3};
    CHECK(world.problem() ==
          "belay.yaml:4:3: error: unknown node \"db-11\"; did you mean \"db-1\"?\n");
  }
  SECTION("profile in the plan file") {
    world.file.nodes["db-1"].profiles["app"].mark = {5, 7};
    CHECK(world.problem() == "belay.yaml:5:7: error: unknown profile \"app\" of node \"db-1\"\n");
  }
  SECTION("several, in the order of the file") {
    world.file.nodes["a"].mark = {9, 3};
    world.file.nodes["z"].mark = {4, 3};
    world.file.nodes["web-1"].profiles["b"].mark = {6, 7};
    world.with_file();
    REQUIRE(world.problems.size() == 3);
    CHECK(world.problems[0].line == 4);
    CHECK(world.problems[1].line == 6);
    CHECK(world.problems[2].line == 9);
  }
  SECTION("profilesOrder") {
    world.web().profiles_order = {"ap"};
    CHECK(world.problem() == "error: node \"web-1\": profilesOrder names the unknown profile "
                             "\"ap\"; did you mean \"app\"?\n");
  }
}

TEST_CASE("what the flake or the settings cannot mean is a problem") {
  World world;
  SECTION("the same node from two flakes") {
    FlakeOutput other;
    other.flake = "other";
    other.settings.ssh_user = "root";
    other.nodes["db-1"] = node({"system"});
    world.input.flakes.push_back(other);
    CHECK(world.problem().starts_with("error: node \"db-1\" is in several of the flakes"));
  }
  SECTION("no user") {
    world.input.flakes[0].settings.ssh_user.reset();
    world.input.local_user = "ci";
    world.input.flakes[0].nodes["db-1"].settings.user = "root";
    world.web().profiles.erase("app");
    CHECK(world.problem().starts_with(
        "error: node \"web-1\", profile \"system\": neither user nor sshUser is set; "));
    CHECK(world.plan().nodes[0].profiles[0].login.user == "ci");
  }
  SECTION("a user that is none") {
    for (const char* bad : {"a b", "-x", "", "a;b", "$", "a$b"}) {
      INFO(bad);
      world.input.overrides.settings.user = bad;
      CHECK(world.problem().find("is not a user name") != std::string::npos);
    }
    world.input.overrides.settings.user = "host$";
    CHECK(world.problem().empty());
  }
  SECTION("an ssh user that is an option") {
    world.input.overrides.settings.ssh_user = "-oProxyCommand=x";
    CHECK(world.problem().find("begin with a dash") != std::string::npos);
  }
  SECTION("a hostname that is an option or missing") {
    world.web().hostname = "-oProxyCommand=x";
    CHECK(world.problem().find("begin with a dash") != std::string::npos);
    world.web().hostname = "";
    CHECK(world.problem() ==
          "error: node \"web-1\" has no hostname; set it in the flake or the plan file\n");
    world.file.nodes["web-1"].hostname = "good";
    CHECK(world.problem().empty());
  }
  SECTION("paths that are not directly in the store") {
    for (const char* bad :
         {"", "/tmp/x", "relative", "/nix/store/x", "/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-a/bin",
          "/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-a.drv"}) {
      INFO(bad);
      world.input.flakes[0].nodes["db-1"].profiles["system"].path = bad;
      CHECK(world.problem().starts_with("error: node \"db-1\", profile \"system\": "
                                        "deploy.nodes.db-1.profiles.system.path is "));
    }
  }
  SECTION("a name or a path that no link can have") {
    for (const char* bad : {"a/b", "", ".", "..", "../../x"}) {
      INFO(bad);
      World other;
      other.input.flakes[0].nodes["db-1"] = node({bad});
      CHECK(other.problem().starts_with("error: node \"db-1\", profile \"" + std::string(bad) +
                                        "\": a link on the target cannot have that name; "));
      CHECK_THAT(other.problem(),
                 Contains("set deploy.nodes.db-1.profiles.\"") && Contains("\".profilePath"));
      other.input.flakes[0].nodes["db-1"].profiles[bad].profile_path = "/srv/x";
      CHECK(other.problem().empty());
    }
    world.web().profiles["app"].profile_path = "srv/x";
    CHECK(world.problem() == "error: node \"web-1\", profile \"app\": "
                             "deploy.nodes.web-1.profiles.app.profilePath is \"srv/x\", not an "
                             "absolute path\n");
  }
  SECTION("several derivations in one path") {
    world.web().profiles["app"].derivations.push_back(hash + "b.drv");
    CHECK(world.problem().find("deploy.nodes.web-1.profiles.app.path is made from 2 derivations") !=
          std::string::npos);
  }
  SECTION("somebody would have to type a password") {
    world.web().profiles["app"].settings.interactive_sudo = true;
    CHECK(world.problem().find("interactiveSudo needs somebody to ask") != std::string::npos);
    world.file.settings.sudo_password_env = "DB_SUDO";
    CHECK(world.problem().empty());
  }
  SECTION("a password for a program that takes none") {
    world.web().profiles["app"].settings.user = "app";
    world.file.settings.sudo = "/run/wrappers/bin/doas -u";
    CHECK(world.problem().empty());
    world.file.settings.sudo_password_env = "DB_SUDO";
    CHECK(world.problem().find("doas takes a password from a terminal only") != std::string::npos);
  }
  SECTION("an empty sudo") {
    world.file.settings.sudo = " ";
    CHECK(world.problem().find("sudo is empty") != std::string::npos);
  }
}

TEST_CASE("warnings leave the plan usable") {
  World world;
  world.input.flakes[0].nodes["empty"] = node({});
  const Plan plan = world.plan();
  CHECK_FALSE(has_errors(world.problems));
  CHECK(world.problems.size() == 1);
  CHECK(plan.nodes.size() == 2);
}

} // namespace belay::plan
