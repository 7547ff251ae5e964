// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/plan_file.h"
#include "engine/plan/setting_keys.h"
#include "tests/catch.h"

#include <nlohmann/json.hpp>

#include <set>

namespace belay::plan {
namespace {

using nlohmann::json;

std::set<std::string> names_in(const json& section) {
  std::set<std::string> names;
  for (const auto& [name, value] : section.at("properties").items()) {
    names.insert(name);
  }
  return names;
}

std::set<std::string> with_settings(std::set<std::string> names) {
  for (const SettingKey& key : setting_keys()) {
    names.emplace(key.name);
  }
  return names;
}

/// Every section forbids other keys, every key is described.
void check_section(const json& section) {
  CHECK(section.at("additionalProperties") == false);
  for (const auto& [name, value] : section.at("properties").items()) {
    INFO(name);
    CHECK_FALSE(value.at("description").get<std::string>().empty());
  }
}

bool is_known(const std::string& yaml, const std::string& key) {
  Diagnostics problems;
  parse_plan_file(yaml, "x", problems);
  for (const Diagnostic& problem : problems) {
    if (problem.message.starts_with("unknown key \"" + key + "\"")) {
      return false;
    }
  }
  return true;
}

} // namespace

TEST_CASE("the schema lists the keys of product and deploy-rs, no others") {
  const json schema = json::parse(plan_schema());
  CHECK(schema.at("$schema") == "http://json-schema.org/draft-07/schema#");
  CHECK(schema.at("required") == json{"version"});
  const json& top = schema.at("properties");
  const json& node = top.at("nodes").at("additionalProperties");
  const json& profile = node.at("properties").at("profiles").at("additionalProperties");
  CHECK(names_in(schema) == std::set<std::string>{"version", "flake", "targets", "environment",
                                                  "parallel", "limits", "settings", "nodes",
                                                  "onFailure", "rollbackSucceeded", "grace",
                                                  "lockWait", "deadline", "reports", "webhooks"});
  CHECK(names_in(top.at("limits")) ==
        std::set<std::string>{"evaluate", "build", "copy", "activate"});
  CHECK(names_in(top.at("settings")) ==
        std::set<std::string>{"sshUser", "user", "sshOpts", "extraSshOpts", "fastConnection",
                              "autoRollback", "magicRollback", "confirmTimeout",
                              "activationTimeout", "bootDefault", "tempPath", "sudo", "remoteBuild",
                              "interactiveSudo", "sudoPasswordEnv", "sudoPasswordFile", "transport",
                              "storeSudo"});
  CHECK(names_in(node) == with_settings({"hostname", "hostKey", "skip", "profiles"}));
  CHECK(names_in(profile) == with_settings({"profilePath"}));
  CHECK(names_in(top.at("reports")) == std::set<std::string>{"events", "junit"});
  CHECK(names_in(top.at("webhooks").at("items")) ==
        std::set<std::string>{"url", "urlEnv", "urlFile", "secretEnv", "secretFile", "events",
                              "allowHttp", "timeout"});
  for (const json* section : {&schema, &top.at("limits"), &top.at("settings"), &node, &profile,
                              &top.at("reports"), &top.at("webhooks").at("items")}) {
    check_section(*section);
  }
}

TEST_CASE("the reader knows each key of the schema, and where it is") {
  const json schema = json::parse(plan_schema());
  const json& top = schema.at("properties");
  const json& node = top.at("nodes").at("additionalProperties");
  for (const auto& name : names_in(schema)) {
    INFO(name);
    CHECK(is_known("version: 1\n" + name + ": [[]]\n", name));
    CHECK_FALSE(is_known("version: 1\n" + name + "x: 1\n", name + "x"));
  }
  for (const auto& name : names_in(node)) {
    INFO(name);
    CHECK(is_known("version: 1\nnodes: {a: {" + name + ": [[]]}}\n", name));
    CHECK_FALSE(is_known("version: 1\nlimits: {" + name + ": 1}\n", name));
  }
  for (const auto& name : names_in(top.at("settings"))) {
    INFO(name);
    CHECK(is_known("version: 1\nsettings: {" + name + ": [[]]}\n", name));
    CHECK(is_known("version: 1\nnodes: {a: {profiles: {p: {" + name + ": [[]]}}}}\n", name));
  }
}

} // namespace belay::plan
