// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/plan/resolve.h"
#include "tests/catch.h"

namespace belay::plan {
namespace {

using Catch::Matchers::Contains;

const std::string hash = "/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-";

FlakeProfile profile(const std::string& name) {
  FlakeProfile result;
  result.path = hash + name;
  result.derivations = {hash + name + ".drv"};
  return result;
}

FlakeNode node(const std::vector<std::string>& profiles) {
  FlakeNode result;
  result.selected = result.evaluated = true;
  result.hostname = "host";
  result.profile_names = profiles;
  for (const std::string& name : profiles) {
    result.profiles[name] = profile("closure");
  }
  return result;
}

/// A flake of two nodes that resolves without a problem.
struct World {
  ResolveInput input;
  PlanFile file;
  Diagnostics problems;

  World() {
    FlakeOutput flake;
    flake.flake = ".";
    flake.settings.ssh_user = "root";
    flake.nodes["web-1"] = node({"app", "system"});
    flake.nodes["db-1"] = node({"system"});
    input.flakes.push_back(flake);
    input.targets.push_back({});
    file.name = "belay.yaml";
  }
  FlakeNode& web() { return input.flakes[0].nodes["web-1"]; }

  Plan plan() {
    problems.clear();
    return resolve(input, problems);
  }
  Plan with_file() {
    input.file = &file;
    return plan();
  }
  std::string lines() {
    std::string text;
    for (const Diagnostic& problem : problems) {
      text += problem.line_text() + "\n";
    }
    return text;
  }
  /// The one problem of a plan.
  std::string problem() {
    with_file();
    return lines();
  }
};

std::vector<std::string> names_of(const Node& node) {
  std::vector<std::string> names;
  for (const Profile& profile : node.profiles) {
    names.push_back(profile.name);
  }
  return names;
}

using Names = std::vector<std::string>;

} // namespace

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
         {"/tmp/x", "relative", "/nix/store/x", "/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-a/bin",
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

TEST_CASE("warnings leave the plan usable") {
  World world;
  world.input.flakes[0].nodes["empty"] = node({});
  const Plan plan = world.plan();
  CHECK_FALSE(has_errors(world.problems));
  CHECK(world.problems.size() == 1);
  CHECK(plan.nodes.size() == 2);
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
