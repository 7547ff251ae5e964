// SPDX-License-Identifier: Apache-2.0
#include "runner/verb_check.h"
#include "runner/verb_plan.h"
#include "runner/verb_schema.h"
#include "tests/catch.h"
#include "tests/unit/runner/fake_store.h"

#include <csignal>
#include <sstream>

namespace belay::runner {
namespace {

using event::ExitCode;

struct Printed {
  ExitCode code;
  std::string out;
  std::string err;
};

MadePlan made_from(FakeStore& store) {
  LoadOptions options;
  options.plan_file = BELAY_SOURCE_DIR "/tests/unit/runner/empty.yaml";
  options.overrides.targets = {"flake"};
  return make_plan(options, store, [](const nix::Progress&) {}, {});
}

Printed plan_of(const MadePlan& made, PlanFormat format = PlanFormat::table) {
  std::ostringstream out;
  std::ostringstream err;
  const ExitCode code = print_plan(made, format, out, err);
  return {code, out.str(), err.str()};
}

Printed check_of(const MadePlan& made) {
  std::ostringstream err;
  const ExitCode code = print_check(made, err);
  return {code, "", err.str()};
}

} // namespace

TEST_CASE("a good plan is printed on stdout, and nothing on stderr") {
  FakeStore store;
  store.outputs["flake"] = flake_json("web", built());
  const MadePlan made = made_from(store);
  const Printed table = plan_of(made);
  CHECK(table.code == ExitCode::ok);
  CHECK(table.err.empty());
  CHECK(table.out.find("root@h") != std::string::npos);
  CHECK(plan_of(made, PlanFormat::json).out.starts_with("{"));
  CHECK(check_of(made).code == ExitCode::ok);
  CHECK(check_of(made).err == "good: 1 node, 1 profile\n");
  MadePlan skipping = made;
  skipping.plan.nodes.push_back(skipping.plan.nodes[0]);
  skipping.plan.nodes[1].skip = true;
  skipping.problems.push_back({plan::Diagnostic::Severity::warning, "odd", "odd", "", 0, 0, ""});
  CHECK(check_of(skipping).err ==
        "warning: odd\ngood: 1 node, 1 profile, 1 skipped by the plan, 1 warning\n");
}

TEST_CASE("problems go to stderr and no plan to stdout") {
  FakeStore store;
  store.outputs["flake"] = flake_json("web"); // its path is not valid
  const MadePlan made = made_from(store);
  const Printed printed = plan_of(made);
  CHECK(printed.code == ExitCode::plan_invalid);
  CHECK(printed.out.empty());
  CHECK(printed.err.starts_with("error: flake#web.system: path "));
  CHECK(check_of(made).code == ExitCode::plan_invalid);
  CHECK(check_of(made).err == printed.err);
}

TEST_CASE("a flake that does not evaluate is exit 20, a wrong plan beside it 3") {
  FakeStore store;
  MadePlan made = made_from(store);
  CHECK(plan_of(made).code == ExitCode::evaluation);
  CHECK(plan_of(made).out.empty());
  CHECK(plan_of(made).err == "error: evaluating flake: no such flake\n");
  made.problems.push_back({});
  CHECK(plan_of(made).code == ExitCode::plan_invalid);
}

TEST_CASE("a node that does not evaluate is exit 20 with the rest shown") {
  FakeStore store;
  store.outputs["flake"] = R"({"nodes": {"web": {"selected": true, "ok": false,
                                                 "profileNames": ["system"],
                                                 "error": "no such kernel"}}})";
  const MadePlan made = made_from(store);
  CHECK(plan_of(made).code == ExitCode::evaluation);
  CHECK(plan_of(made).out.find("NOT EVALUATED") != std::string::npos);
  CHECK(check_of(made).err.find("node \"web\" could not be evaluated: no such kernel") !=
        std::string::npos);
}

TEST_CASE("a flake without nodes selects nothing") {
  FakeStore store;
  store.outputs["flake"] = R"({"nodes": {}})";
  CHECK(check_of(made_from(store)).code == ExitCode::nothing_selected);
}

TEST_CASE("a failing check is exit 20, named with its flake, and no artifact is made") {
  FakeStore store;
  store.outputs["flake"] = flake_json("web", built());
  MadePlan made = made_from(store);
  std::ostringstream err;
  make_checks(made, store, {}, err);
  CHECK(err.str() == "checking flake\n");
  CHECK(store.checked == std::vector<std::string>{"flake"});
  CHECK(made.checked == true);
  CHECK(is_good(made));
  store.failing_checks = {{"checks.x86_64-linux.deploy-schema", "exit code 3"}};
  make_checks(made, store, {}, err);
  CHECK_FALSE(is_good(made));
  CHECK(plan_of(made).code == ExitCode::evaluation);
  CHECK(plan_of(made).err ==
        "error: checks.x86_64-linux.deploy-schema of flake failed: exit code 3\n");
  save_artifact(made, "/nonexistent/plan.json", err);
  CHECK(err.str().ends_with("belay: /nonexistent/plan.json was not written\n"));
}

TEST_CASE("what is secret in a URL is not printed") {
  const std::string flake = "https://me:SECRET@example.com/x";
  LoadOptions options;
  options.plan_file = BELAY_SOURCE_DIR "/tests/unit/runner/empty.yaml";
  options.overrides.targets = {flake};
  options.nix_arguments = {"--override-input", "x", "git+https://TOKEN@example.com/y"};
  FakeStore store;
  const auto printed = [&](PlanFormat format) {
    return plan_of(make_plan(options, store, [](const nix::Progress&) {}, {}), format);
  };
  CHECK(printed(PlanFormat::table).err ==
        "error: evaluating https://me:***@example.com/x: no such flake\n");
  store.outputs[flake] = flake_json("web", built());
  for (const auto format : {PlanFormat::table, PlanFormat::json, PlanFormat::toml}) {
    CHECK(printed(format).code == ExitCode::ok);
    CHECK(printed(format).out.find("SECRET") == std::string::npos);
  }
  const LoadedPlan loaded(options);
  CHECK(loaded.secrets() == std::vector<std::string>{"SECRET", "TOKEN"});
}

TEST_CASE("NIX ARGS beside builds on targets are warned of") {
  plan::Plan plan;
  plan.nodes.resize(2);
  plan.nodes[0].name = "web-1";
  plan.nodes[1].name = "web-2";
  for (auto& node : plan.nodes) {
    node.profiles.push_back(
        {"system", *StorePath::parse("/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-web")});
  }
  CHECK_FALSE(warn_of_remote_builds(plan, {"--option"}));
  plan.nodes[1].profiles[0].remote_build = true;
  CHECK_FALSE(warn_of_remote_builds(plan, {}));
  const auto warning = warn_of_remote_builds(plan, {"--option", "cores", "2"});
  REQUIRE(warning);
  CHECK(warning->severity == plan::Diagnostic::Severity::warning);
  CHECK(warning->code == "nix-args-not-remote");
  CHECK(warning->message.find("builds on web-2, which has remoteBuild") != std::string::npos);
}

TEST_CASE("a signal is told by its exit code") {
  MadePlan made;
  made.signal = SIGINT;
  CHECK(plan_of(made).code == ExitCode::interrupted);
  made.signal = SIGTERM;
  CHECK(check_of(made).code == ExitCode::terminated);
  CHECK(plan_of(made).out.empty());
}

TEST_CASE("schemas end in one line feed") {
  for (const SchemaName name : {SchemaName::plan, SchemaName::events}) {
    std::ostringstream out;
    print_schema({name}, out);
    CHECK(out.str().starts_with("{"));
    CHECK(out.str().ends_with("}\n"));
    CHECK(out.str().find("draft-07") != std::string::npos);
  }
}

} // namespace belay::runner
