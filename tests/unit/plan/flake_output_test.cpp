// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/plan/flake_output.h"
#include "tests/catch.h"

namespace belay::plan {
namespace {

std::string lines_of(const Diagnostics& problems) {
  std::string lines;
  for (const Diagnostic& problem : problems) {
    lines += problem.line_text() + "\n";
  }
  return lines;
}

} // namespace

TEST_CASE("what the evaluation yields is read whole") {
  Diagnostics problems;
  const FlakeOutput output = parse_flake_output(
      R"({"generic": {"sshUser": "deploy", "sudo": null, "autoRollback": false},
          "nodes": {
            "web-1": {"selected": true, "ok": true, "profileNames": ["app", "system"], "value": {
              "hostname": "h", "profilesOrder": ["system"], "confirmTimeout": 45, "unknown": [],
              "profiles": {"system": {"path": "/nix/store/p", "profilePath": "/x", "user": "root",
                "sshOpts": ["-p", "22"],
                "context": {"/nix/store/a.drv": {"outputs": ["out"]},
                            "/nix/store/src": {"path": true}}}}}},
            "db-1": {"selected": true, "ok": false, "profileNames": ["system"]},
            "old": {"selected": false, "profileNames": ["a\"b${c}\n"]}}})",
      ".", problems);
  CHECK(lines_of(problems).empty());
  CHECK(output.flake == ".");
  CHECK(output.settings.ssh_user == "deploy");
  CHECK(output.settings.auto_rollback == false);
  CHECK_FALSE(output.settings.sudo);
  REQUIRE(output.nodes.size() == 3);
  const FlakeNode& web = output.nodes.at("web-1");
  CHECK((web.selected && web.evaluated));
  CHECK(web.hostname == "h");
  CHECK(web.profiles_order == std::vector<std::string>{"system"});
  CHECK(web.profile_names == std::vector<std::string>{"app", "system"});
  CHECK(web.settings.confirm_timeout == Seconds(45));
  const FlakeProfile& system = web.profiles.at("system");
  CHECK(system.path == "/nix/store/p");
  CHECK(system.profile_path == "/x");
  CHECK(system.derivations == std::vector<std::string>{"/nix/store/a.drv"});
  CHECK(system.settings.user == "root");
  CHECK(system.settings.ssh_opts == std::vector<std::string>{"-p", "22"});
  CHECK_FALSE(output.nodes.at("db-1").evaluated);
  CHECK_FALSE(output.nodes.at("old").selected);
  CHECK(output.nodes.at("old").profile_names == std::vector<std::string>{"a\"b${c}\n"});
}

TEST_CASE("wrong types are named with node, profile and key, all at once") {
  Diagnostics problems;
  parse_flake_output(
      R"({"generic": {"sshOpts": "-p 22", "confirmTimeout": 70000}, "nodes": {"we b": {
           "selected": true, "ok": true, "profileNames": ["s"], "value": {
             "hostname": 3, "profilesOrder": "s", "magicRollback": "true",
             "profiles": {"s": {"path": ["x"], "activationTimeout": 1.5}, "t": {}}}}}})",
      ".", problems);
  CHECK(
      lines_of(problems) ==
      "error: flake \".\": deploy.sshOpts: expected a list of texts, found the text \"-p 22\"\n"
      "error: flake \".\": deploy.confirmTimeout: expected a whole number from 0 to 65535, found "
      "70000\n"
      "error: flake \".\": deploy.nodes.\"we b\".hostname: expected text, found the number 3\n"
      "error: flake \".\": deploy.nodes.\"we b\".profilesOrder: expected a list of texts, found "
      "the text \"s\"\n"
      "error: flake \".\": deploy.nodes.\"we b\".magicRollback: expected true or false, found the "
      "text \"true\"\n"
      "error: flake \".\": deploy.nodes.\"we b\".profiles.s.path: expected text, found a list\n"
      "error: flake \".\": deploy.nodes.\"we b\".profiles.s.activationTimeout: expected a whole "
      "number, found the number 1.5\n"
      "error: flake \".\": deploy.nodes.\"we b\".profiles.t.path is missing\n");
}

TEST_CASE("belay's own keys are none of the flake's") {
  Diagnostics problems;
  const auto output =
      parse_flake_output(R"({"generic": {"extraSshOpts": ["-4"]}, "nodes": {}})", ".", problems);
  CHECK(problems.empty());
  CHECK(output.settings.extra_ssh_opts.empty());
}

TEST_CASE("JSON of another shape is an error of the evaluation") {
  for (const char* text : {"", "[]", "null", "{}", "{\"nodes\": {}", "\xff"}) {
    INFO(text);
    Diagnostics problems;
    CHECK_THROWS_AS(parse_flake_output(text, ".", problems), Error);
  }
}

} // namespace belay::plan
