// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/flake_output.h"
#include "engine/plan/resolve.h"
#include "engine/plan/setting_keys.h"
#include "tests/catch.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

// What a drop-in for deploy-rs must read, row by row: its input (5.1), from the JSON of an
// evaluation to the plan.

namespace belay::plan {
namespace {

using nlohmann::json;
using List = std::vector<std::string>;

const char* const closure = "/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-closure";

enum class Level { deploy, node, profile };

/// A flake of one node and one profile that resolves without a problem.
struct Flake {
  json generic = {{"sshUser", "root"}};
  json node = {{"hostname", "web.example"}, {"profiles", {{"system", {{"path", closure}}}}}};

  json& profile() { return node["profiles"]["system"]; }
  json& at(Level level) {
    return level == Level::deploy ? generic : level == Level::node ? node : profile();
  }
  /// As the evaluation brings it.
  std::string text() const {
    return json{
        {"generic", generic},
        {"nodes",
         {{"web-1",
           {{"selected", true}, {"ok", true}, {"profileNames", {"system"}}, {"value", node}}}}}}
        .dump();
  }
};

struct Resolved {
  Plan plan;
  std::string problems;
  const Profile& profile() const { return plan.nodes.at(0).profiles.at(0); }
};

Resolved resolved(const Flake& flake, const Overrides& line = {}) {
  Diagnostics problems;
  ResolveInput input;
  input.overrides = line;
  input.flakes.push_back(parse_flake_output(flake.text(), ".", problems));
  input.targets.push_back({});
  input.local_user = "ci";
  Resolved result{resolve(input, problems), ""};
  for (const auto& problem : problems) {
    result.problems += problem.line_text() + "\n";
  }
  return result;
}

std::string name_of(Level level) {
  return level == Level::deploy ? "deploy"
         : level == Level::node ? "deploy.nodes.web-1"
                                : "deploy.nodes.web-1.profiles.system";
}

enum class Type { text, flag, seconds, texts, set };

struct Key {
  std::string name;
  Type type;
};

/// Of every level.
const std::vector<Key> generic_keys{
    {"sshUser", Type::text},           {"user", Type::text},
    {"sshOpts", Type::texts},          {"fastConnection", Type::flag},
    {"autoRollback", Type::flag},      {"magicRollback", Type::flag},
    {"confirmTimeout", Type::seconds}, {"activationTimeout", Type::seconds},
    {"tempPath", Type::text},          {"sudo", Type::text},
    {"remoteBuild", Type::flag},       {"interactiveSudo", Type::flag}};

std::vector<json> wrong_values(Type type) {
  const json function{{"__type", "lambda"}};
  switch (type) {
  case Type::text:
    return {3, true, 1.5, json::array(), json::object(), function};
  case Type::flag:
    return {3, "true", 1.5, json::array(), json::object(), function};
  case Type::seconds:
    return {"30", true, 1.5, -1, 65536, json::array(), json::object(), function};
  case Type::texts:
    return {"-p 22",
            3,
            true,
            json::object(),
            json::array({3}),
            json::array({json::array()}),
            json::array({function}),
            function};
  case Type::set:
    return {"x", 3, true, json::array(), function};
  }
  return {};
}

void refuses(const std::function<json&(Flake&)>& place, const std::string& path, Type type) {
  for (const json& wrong : wrong_values(type)) {
    Flake flake;
    place(flake) = wrong;
    INFO(path << " = " << wrong.dump());
    const auto result = resolved(flake);
    INFO(result.problems);
    CHECK(result.problems.find("error: flake \".\": " + path + ": expected ") == 0);
  }
}

} // namespace

TEST_CASE("5.1: a wrong type of any key, at any level, names node, profile and key") {
  for (const auto level : {Level::deploy, Level::node, Level::profile}) {
    for (const auto& key : generic_keys) {
      refuses([&](Flake& flake) -> json& { return flake.at(level)[key.name]; },
              name_of(level) + "." + key.name, key.type);
    }
  }
  const auto node = name_of(Level::node);
  const auto profile = name_of(Level::profile);
  refuses([](Flake& flake) -> json& { return flake.node; }, node, Type::set);
  refuses([](Flake& flake) -> json& { return flake.node["hostname"]; }, node + ".hostname",
          Type::text);
  refuses([](Flake& flake) -> json& { return flake.node["profilesOrder"]; },
          node + ".profilesOrder", Type::texts);
  refuses([](Flake& flake) -> json& { return flake.node["profiles"]; }, node + ".profiles",
          Type::set);
  refuses([](Flake& flake) -> json& { return flake.profile(); }, profile, Type::set);
  refuses([](Flake& flake) -> json& { return flake.profile()["path"]; }, profile + ".path",
          Type::text);
  refuses([](Flake& flake) -> json& { return flake.profile()["profilePath"]; },
          profile + ".profilePath", Type::text);
}

TEST_CASE("5.1: all that is wrong is told at once") {
  Flake flake;
  for (const auto level : {Level::deploy, Level::node, Level::profile}) {
    for (const auto& key : generic_keys) {
      flake.at(level)[key.name] = wrong_values(key.type).front();
    }
  }
  const auto problems = resolved(flake).problems;
  for (const auto level : {Level::deploy, Level::node, Level::profile}) {
    for (const auto& key : generic_keys) {
      INFO(problems);
      CHECK(problems.find(name_of(level) + "." + key.name + ": expected ") != std::string::npos);
    }
  }
}

TEST_CASE("5.1: a missing key is named: nodes, hostname, profiles, path") {
  Diagnostics problems;
  parse_flake_output(R"({"generic": {}, "nodes": null})", ".", problems);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].line_text() == "error: flake \".\": deploy.nodes is missing");
  problems.clear();
  parse_flake_output(R"({"generic": {}, "nodes": []})", ".", problems);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].line_text() ==
        "error: flake \".\": deploy.nodes: expected an attribute set, found a list");

  Flake flake;
  flake.node.erase("hostname");
  CHECK(resolved(flake).problems.find("node \"web-1\" has no hostname") != std::string::npos);
  flake = {};
  flake.node.erase("profiles");
  CHECK(resolved(flake).problems.find("deploy.nodes.web-1.profiles is missing") !=
        std::string::npos);
  flake = {};
  flake.profile().erase("path");
  CHECK(resolved(flake).problems.find("deploy.nodes.web-1.profiles.system.path is missing") !=
        std::string::npos);
}

TEST_CASE("5.1: null is absent, and unknown keys are nobody's business") {
  Flake flake;
  for (const auto level : {Level::node, Level::profile}) {
    for (const auto& key : generic_keys) {
      flake.at(level)[key.name] = nullptr;
    }
    flake.at(level)["somethingElse"] = 3;
  }
  flake.node["profilesOrder"] = nullptr;
  flake.profile()["profilePath"] = nullptr;
  CHECK(resolved(flake).problems.empty());
}

TEST_CASE("5.1: the generic keys are those of deploy-rs") {
  std::vector<std::string> names;
  for (const auto& key : setting_keys()) {
    if (key.scope == SettingScope::flake_and_file) {
      names.emplace_back(key.name);
    }
  }
  std::vector<std::string> expected;
  for (const auto& key : generic_keys) {
    expected.push_back(key.name);
  }
  std::sort(names.begin(), names.end());
  std::sort(expected.begin(), expected.end());
  CHECK(names == expected);
}

namespace {

struct Row {
  const char* name;
  json value;
  std::function<bool(const Profile&)> holds;
};

} // namespace

TEST_CASE("5.1: each generic key does what deploy-rs's documentation says, from any level") {
  const std::vector<Row> rows{
      {"sshUser", "deploy", [](const Profile& p) { return p.login.user == "deploy"; }},
      {"user", "app", [](const Profile& p) { return p.user == "app"; }},
      {"sshOpts",
       {"-p", "2222"},
       [](const Profile& p) {
         return p.login.options == List{"-p", "2222"};
       }},
      {"fastConnection", true, [](const Profile& p) { return p.fast_connection; }},
      {"autoRollback", false, [](const Profile& p) { return !p.auto_rollback; }},
      {"magicRollback", false, [](const Profile& p) { return !p.magic_rollback; }},
      {"confirmTimeout", 65535,
       [](const Profile& p) { return p.confirm_timeout == Seconds(65535); }},
      {"activationTimeout", 0, [](const Profile& p) { return p.activation_timeout == Seconds(0); }},
      {"tempPath", "/var/tmp", [](const Profile&) { return true; }},
      {"sudo", "doas -u", [](const Profile& p) { return p.sudo == "doas -u"; }},
      {"interactiveSudo", false, [](const Profile& p) { return !p.sudo_password; }},
  };
  for (const auto& row : rows) {
    for (const auto level : {Level::deploy, Level::node, Level::profile}) {
      INFO(row.name << " at " << name_of(level));
      Flake flake;
      flake.at(level)[row.name] = row.value;
      const auto result = resolved(flake);
      CHECK(result.problems.empty());
      CHECK(row.holds(result.profile()));
    }
  }
}

TEST_CASE("5.1: user is sshUser where only that is set, and neither is an error") {
  Flake flake;
  flake.generic["sshUser"] = "deploy";
  CHECK(resolved(flake).profile().user == "deploy");
  flake.generic.erase("sshUser");
  CHECK(resolved(flake).problems.find(
            "node \"web-1\", profile \"system\": neither user nor sshUser is set") !=
        std::string::npos);
  flake.generic["user"] = "root";
  CHECK(resolved(flake).profile().login.user == "ci"); // the local user
}

TEST_CASE("5.1: sshOpts are the profile's, then the node's, then deploy's") {
  Flake flake;
  flake.generic["sshOpts"] = {"-4"};
  flake.node["sshOpts"] = {"-p", "22"};
  flake.profile()["sshOpts"] = {"-p", "2222"};
  CHECK(resolved(flake).profile().login.options == List{"-p", "2222", "-p", "22", "-4"});
  Overrides line;
  line.settings.ssh_opts = List{"-v"};
  CHECK(resolved(flake, line).profile().login.options == List{"-v"});
}

TEST_CASE("5.1: profilesOrder first, then by name; twice is once; an unknown name is an error") {
  Flake flake;
  for (const char* name : {"b", "a", "c"}) {
    flake.node["profiles"][name] = {{"path", closure}};
  }
  flake.node["profilesOrder"] = {"c", "system", "c"};
  List names;
  const auto result = resolved(flake);
  for (const auto& profile : result.plan.nodes.at(0).profiles) {
    names.push_back(profile.name);
  }
  CHECK(names == List{"c", "system", "a", "b"});
  flake.node["profilesOrder"] = {"systme"};
  CHECK(resolved(flake).problems.find("profilesOrder names the unknown profile \"systme\"; did you "
                                      "mean \"system\"?") != std::string::npos);
}

TEST_CASE("5.1: interactiveSudo without a password is an error that names both ways, node and "
          "profile") {
  Flake flake;
  Overrides line;
  SECTION("in the flake") {
    flake.profile()["interactiveSudo"] = true;
  }
  SECTION("on the command line") {
    line.settings.interactive_sudo = true;
  }
  const auto problems = resolved(flake, line).problems;
  for (const char* word :
       {"node \"web-1\"", "profile \"system\"", "sudoPasswordEnv", "sudoPasswordFile"}) {
    INFO(problems);
    CHECK(problems.find(word) != std::string::npos);
  }
}

TEST_CASE("5.3: what the command line says of settings is above all else") {
  Flake flake;
  flake.profile().update({{"sudo", "sudo -u"}, {"user", "app"}, {"tempPath", "/a"}});
  Overrides line;
  line.settings.sudo = "doas -u";
  line.settings.user = "root";
  line.settings.temp_path = "/b";
  line.hostname = "other.example";
  const auto result = resolved(flake, line);
  CHECK(result.problems.empty());
  CHECK(result.profile().sudo == "doas -u");
  CHECK(result.profile().user == "root");
  CHECK(result.plan.nodes[0].hostname == "other.example");
}

TEST_CASE("5.8: a command that takes no password is told so before anything is done") {
  for (const char* sudo : {"doas -u", "run0 -u", "/usr/sbin/runuser -u"}) {
    Flake flake;
    flake.generic["user"] = "app";
    Overrides line;
    line.settings.sudo = sudo;
    INFO(sudo);
    CHECK(resolved(flake, line).problems.empty());
    line.settings.sudo_password_env = "SUDO";
    CHECK(resolved(flake, line).problems.find("password") != std::string::npos);
  }
}

} // namespace belay::plan
