// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/resolve.h"
#include "engine/plan/setting_keys.h"
#include "tests/catch.h"

#include <array>
#include <functional>

// Each generic key, said at two of the seven levels with two values: the higher one must win.

namespace belay::plan {
namespace {

const char* const store_path = "/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-hello";

/// One node, one profile, and every place where a setting may be said: highest first.
struct World {
  ResolveInput input;
  PlanFile file;

  World() {
    FlakeOutput flake;
    flake.flake = ".";
    FlakeNode& node = flake.nodes["n"];
    node.selected = node.evaluated = true;
    node.hostname = "h";
    node.profile_names = {"p"};
    node.profiles["p"].path = store_path;
    node.profiles["p"].derivations = {std::string(store_path) + ".drv"};
    input.flakes.push_back(flake);
    input.targets.push_back({});
  }

  Settings& level(std::size_t number) {
    FlakeNode& node = input.flakes[0].nodes["n"];
    const std::array<Settings*, 7> levels{
        &input.overrides.settings,    &file.nodes["n"].profiles["p"].settings,
        &file.nodes["n"].settings,    &file.settings,
        &node.profiles["p"].settings, &node.settings,
        &input.flakes[0].settings};
    return *levels.at(number);
  }

  Node resolved() {
    input.file = &file;
    input.local_user = "local";
    Diagnostics problems;
    Plan plan = resolve(input, problems);
    REQUIRE(plan.nodes.size() == 1);
    return plan.nodes[0];
  }
};

struct Row {
  const char* name;
  std::function<void(Settings&, bool second)> say;
  std::function<std::string(const Node&)> shown;
};

std::string text_of(bool value) {
  return value ? "true" : "false";
}

const std::vector<Row> rows{
    {"sshUser", [](Settings& s, bool b) { s.ssh_user = b ? "b" : "a"; },
     [](const Node& n) { return n.profiles[0].login.user; }},
    {"transport",
     [](Settings& s, bool b) { s.transport = b ? Transport::openssh : Transport::libssh2; },
     [](const Node& n) { return std::string(name_of(n.profiles.at(0).login.transport)); }},
    {"user", [](Settings& s, bool b) { s.user = b ? "b" : "a"; },
     [](const Node& n) { return n.profiles.at(0).user; }},
    {"sudo", [](Settings& s, bool b) { s.sudo = b ? "b" : "a"; },
     [](const Node& n) { return n.profiles.at(0).sudo; }},
    {"sudoPasswordEnv", [](Settings& s, bool b) { s.sudo_password_env = b ? "B" : "A"; },
     [](const Node& n) { return n.profiles.at(0).sudo_password->name; }},
    {"fastConnection", [](Settings& s, bool b) { s.fast_connection = b; },
     [](const Node& n) { return text_of(n.profiles.at(0).fast_connection); }},
    {"remoteBuild", [](Settings& s, bool b) { s.remote_build = b; },
     [](const Node& n) { return text_of(n.profiles.at(0).remote_build); }},
    {"storeSudo", [](Settings& s, bool b) { s.store_sudo = b; },
     [](const Node& n) { return text_of(n.profiles.at(0).store_sudo); }},
    {"autoRollback", [](Settings& s, bool b) { s.auto_rollback = b; },
     [](const Node& n) { return text_of(n.profiles.at(0).auto_rollback); }},
    {"magicRollback", [](Settings& s, bool b) { s.magic_rollback = b; },
     [](const Node& n) { return text_of(n.profiles.at(0).magic_rollback); }},
    {"confirmTimeout", [](Settings& s, bool b) { s.confirm_timeout = Seconds(b ? 2 : 1); },
     [](const Node& n) { return std::to_string(n.profiles.at(0).confirm_timeout.count()); }},
    {"activationTimeout", [](Settings& s, bool b) { s.activation_timeout = Seconds(b ? 2 : 1); },
     [](const Node& n) { return std::to_string(n.profiles.at(0).activation_timeout.count()); }},
    {"bootDefault",
     [](Settings& s, bool b) {
       s.boot_default = b ? BootDefault::after_confirm : BootDefault::with_activation;
     },
     [](const Node& n) { return std::string(name_of(n.profiles.at(0).boot_default)); }},
};

std::string alone(const Row& row, std::size_t level, bool second) {
  World world;
  row.say(world.level(level), second);
  return row.shown(world.resolved());
}

} // namespace

TEST_CASE("of two levels the higher one wins, for each key") {
  for (const Row& row : rows) {
    REQUIRE(alone(row, 0, false) != alone(row, 0, true));
    for (std::size_t high = 0; high < 7; ++high) {
      for (std::size_t low = high + 1; low < 7; ++low) {
        for (const bool second : {false, true}) {
          INFO(row.name << ": level " << high << " over " << low << ", value " << second);
          World world;
          row.say(world.level(high), second);
          row.say(world.level(low), !second);
          CHECK(row.shown(world.resolved()) == alone(row, 0, second));
          CHECK(alone(row, low, second) == alone(row, 0, second));
        }
      }
    }
  }
}

TEST_CASE("sshOpts concatenate within the flake and are replaced above it") {
  using List = std::vector<std::string>;
  const std::array<const char*, 7> names{"line", "yp", "yn", "ys", "fp", "fn", "fd"};
  const std::array<List, 7> expected{
      List{"line"},           List{"yp"},       List{"yn"}, List{"ys"},
      List{"fp", "fn", "fd"}, List{"fn", "fd"}, List{"fd"}};
  for (std::size_t highest = 0; highest < 7; ++highest) {
    World world;
    for (std::size_t level = highest; level < 7; ++level) {
      world.level(level).ssh_opts = List{names.at(level)};
    }
    INFO(highest);
    CHECK(world.resolved().profiles[0].login.options == expected.at(highest));
  }
}

TEST_CASE("extraSshOpts append, and fall with the list that they extend") {
  using List = std::vector<std::string>;
  World world;
  world.level(5).ssh_opts = List{"flake"};
  world.level(3).extra_ssh_opts = {"settings"};
  world.level(2).extra_ssh_opts = {"node"};
  world.level(1).extra_ssh_opts = {"profile"};
  CHECK(world.resolved().profiles[0].login.options == List{"flake", "profile", "node", "settings"});
  world.level(2).ssh_opts = List{"own"};
  CHECK(world.resolved().profiles[0].login.options == List{"own", "profile", "node"});
  world.level(0).ssh_opts = List{"line"};
  CHECK(world.resolved().profiles[0].login.options == List{"line"});
}

TEST_CASE("the built-in defaults are deploy-rs's") {
  World world;
  world.level(5).ssh_user = "deploy";
  const Node node = world.resolved();
  const Profile& profile = node.profiles.at(0);
  CHECK(profile.user == "deploy");
  CHECK(profile.sudo == "sudo -u");
  CHECK(profile.auto_rollback);
  CHECK(profile.magic_rollback);
  CHECK(profile.confirm_timeout == Seconds(30));
  CHECK(profile.activation_timeout == Seconds(240));
  CHECK(profile.boot_default == BootDefault::with_activation);
  CHECK_FALSE(profile.fast_connection);
  CHECK(node.profiles[0].login.options.empty());
}

TEST_CASE("a key that the table has and Settings merges: over, for all of them") {
  for (const SettingKey& key : setting_keys()) {
    INFO(key.name);
    Settings said;
    Settings nothing;
    std::visit(
        [&](auto member) {
          using Member = std::remove_reference_t<decltype(said.*member)>;
          if constexpr (std::is_same_v<Member, std::vector<std::string>>) {
            said.*member = {"x"};
          } else {
            said.*member = typename Member::value_type{};
          }
          CHECK(over(said, nothing).*member == said.*member);
          CHECK(over(nothing, said).*member == said.*member);
          CHECK(over_in_flake(said, nothing).*member == said.*member);
          CHECK(over_in_flake(nothing, said).*member == said.*member);
        },
        key.member);
  }
}

} // namespace belay::plan
