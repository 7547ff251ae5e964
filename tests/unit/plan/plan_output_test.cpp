// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/plan.h"
#include "tests/catch.h"

#include <nlohmann/json.hpp>

namespace belay::plan {
namespace {

using nlohmann::json;

Plan sample() {
  const auto path = StorePath::parse("/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-web");
  Plan plan;
  plan.file = "belay.yaml";
  plan.environment = "production";
  plan.flakes = {"."};
  Node web;
  web.name = "web.1\n\x1b[31m";
  web.flake = ".";
  web.hostname = "web-1.internal";

  web.profiles.push_back(
      Profile{"system", *path, std::nullopt, std::nullopt, "root", {"deploy", {"-4"}}});
  plan.nodes.push_back(web);
  Node old;
  old.name = "old";
  old.flake = ".";
  old.skip = true;
  plan.nodes.push_back(old);
  Webhook webhook;
  webhook.url = "https://user:pass@hooks.example.com/services/SECRET?t=1";
  webhook.secret_env = "HOOK_SECRET";
  plan.webhooks.push_back(webhook);
  return plan;
}

} // namespace

TEST_CASE("the table is for people: a line for each profile, none that a name could add") {
  CHECK(
      plan_to_table(sample()) ==
      "production  .  with belay.yaml  2 nodes\n"
      "NODE   HOST                   PROFILE (USER)  TIMEOUTS                      ROLLBACK        "
      "     PATH\n"
      "web.1  deploy@web-1.internal  system (root)   activate 240 s, confirm 30 s  unless "
      "confirmed     /nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-web\n"
      "old                           -                                             skipped by the "
      "plan\n"
      "policy: stop at the first failure, roll back the confirmed nodes too; 8 at once (evaluate "
      "1, build 8, copy 4, activate 8); grace 6 s; lock wait 60 s\n");
}

TEST_CASE("the TOML is deploy-rs's: a table for each profile that would be activated") {
  Plan plan = sample();
  plan.nodes[0].profiles[0].login.options = {"-p", "2\"2\\"};
  CHECK(plan_to_toml(plan) == "[\"web.1\\u000A\\u001B[31m\".system]\n"
                              "user = \"root\"\n"
                              "ssh_user = \"deploy\"\n"
                              "path = \"/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-web\"\n"
                              "hostname = \"web-1.internal\"\n"
                              "ssh_opts = [\"-p\", \"2\\\"2\\\\\"]\n");
  plan.nodes[0].name = "web-1";
  plan.nodes[0].profiles.push_back(plan.nodes[0].profiles[0]);
  plan.nodes[0].profiles[1].name = "";
  const std::string text = plan_to_toml(plan);
  CHECK(text.starts_with("[web-1.system]\n"));
  CHECK(text.find("\n\n[web-1.\"\"]\n") != std::string::npos);
  CHECK(plan_to_toml({}).empty());
}

TEST_CASE("the table says when a generation is booted only after it is confirmed") {
  Plan plan = sample();
  plan.nodes[0].profiles[0].boot_default = BootDefault::after_confirm;
  CHECK(plan_to_table(plan).find("unless confirmed, boots after confirm  /nix/store/") !=
        std::string::npos);
}

TEST_CASE("the JSON has every field and no secret") {
  const std::string text = plan_to_json(sample());
  CHECK(text.find("SECRET?") == std::string::npos);
  CHECK(text.find("pass@") == std::string::npos);
  const json plan = json::parse(text);
  CHECK(plan.at("version") == 1);
  CHECK(plan.at("environment") == "production");
  CHECK(plan.at("webhooks").at(0).at("url_origin") == "https://hooks.example.com");
  const json& web = plan.at("nodes").at(0);
  CHECK(web.at("id") == "web.1\n\x1b[31m");
  CHECK(web.at("target") == ".#\"web.1\\n\x1b[31m\"");
  CHECK(web.at("host") == "web-1.internal");
  CHECK(web.at("host_key") == nullptr);
  CHECK(web.at("profiles").at(0).at("confirm_timeout_s") == 30);
  CHECK(web.at("profiles").at(0).at("boot_default") == "withActivation");
  CHECK(web.at("profiles").at(0).at("derivation") == nullptr);
  CHECK(web.at("profiles").at(0).at("ssh_user") == "deploy");
  CHECK(web.at("profiles").at(0).at("ssh_opts") == json::array({"-4"}));
  CHECK(web.at("profiles").at(0).at("transport") == "auto");
  CHECK(plan.at("nodes").at(1).at("skip") == true);
  CHECK(plan.at("policy").at("on_failure") == "stop");
  CHECK(plan.at("policy").at("limits").at("copy") == 4);
}

TEST_CASE("a target shows the node quoted where Nix wants it") {
  Node node;
  node.flake = "github:a/b";
  node.name = "web-1";
  CHECK(target_of(node) == "github:a/b#web-1");
  node.name = "web.example.com";
  CHECK(target_of(node) == "github:a/b#\"web.example.com\"");
}

} // namespace belay::plan
