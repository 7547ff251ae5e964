// SPDX-License-Identifier: Apache-2.0
#include "engine/base/file.h"
#include "runner/load_plan.h"
#include "tests/catch.h"
#include "tests/unit/runner/fake_store.h"

namespace belay::runner {
namespace {

using Words = std::vector<std::string>;

/// A plan file in a folder of its own.
struct Folder {
  TemporaryDirectory directory{"/tmp/belay-load-test."};
  LoadOptions with(const std::string& yaml) const {
    LoadOptions options;
    options.plan_file = (directory.path() / "belay.yaml").string();
    replace_file(*options.plan_file, yaml);
    return options;
  }
};

std::optional<std::string> evaluate(LoadedPlan& loaded, FakeStore& store) {
  return evaluate_all(loaded, store, [](const nix::Progress&) {}, {});
}

} // namespace

TEST_CASE("a file takes the place of the flakes, and of the plan file's targets") {
  const Folder folder;
  LoadOptions options = folder.with("version: 1\ntargets: [other#x]\n");
  options.overrides.file = "hosts.nix";
  for (const Words& targets : {Words{}, Words{"."}, Words{"web-1.system", "\"a.b\""}}) {
    options.overrides.targets = targets;
    const auto requests = LoadedPlan(options).evaluations();
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].flake == "hosts.nix");
    CHECK(requests[0].kind == plan::SourceKind::file);
    CHECK(requests[0].selection.size() == std::max<std::size_t>(1, targets.size()));
    CHECK(requests[0].selection[0].node.has_value() == (targets.size() == 2));
  }
}

TEST_CASE("one evaluation a flake, with its targets, in their order") {
  LoadOptions options;
  options.overrides.targets = {"b#x", "a", "b#y.z"};
  options.nix_arguments = {"--option"};
  const LoadedPlan loaded(options);
  CHECK(loaded.flakes() == Words{"b", "a"});
  const auto requests = loaded.evaluations();
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].flake == "b");
  CHECK(requests[0].selection.size() == 2);
  CHECK(requests[0].nix_arguments == Words{"--option"});
  CHECK(requests[1].selection.size() == 1);
}

TEST_CASE("plan file and evaluation become the plan") {
  const Folder folder;
  LoadedPlan loaded(folder.with("version: 1\nenvironment: test\ntargets: [\"nixpkgs#web\"]\n"
                                "reports: {junit: /j.xml, events: /e}\n"
                                "webhooks: [{urlEnv: X}]\nparallel: 3\n"));
  CHECK(loaded.environment() == "test");
  CHECK(loaded.file_name().ends_with("/belay.yaml"));
  CHECK(loaded.reports().junit == "/j.xml");
  CHECK(loaded.webhooks().size() == 1);
  FakeStore store;
  store.outputs["nixpkgs"] = flake_json("web", built());
  CHECK_FALSE(evaluate(loaded, store));
  const plan::Plan plan = loaded.resolve();
  CHECK(loaded.problems().empty());
  REQUIRE(plan.nodes.size() == 1);
  CHECK(plan.nodes[0].profiles.at(0).user == "root");
  CHECK(plan.policy.parallel == 3);
  CHECK(check_paths(plan, store, {}).empty());
}

TEST_CASE("the command line's reports and targets come before the plan file's") {
  const Folder folder;
  LoadOptions options = folder.with("version: 1\nflake: a\nreports: {junit: /j, events: /e}\n");
  options.overrides.targets = {"b"};
  options.overrides.reports.events = "-";
  const LoadedPlan loaded(options);
  CHECK(loaded.flakes() == Words{"b"});
  CHECK(loaded.reports().events == "-");
  CHECK(loaded.reports().junit == "/j");
}

TEST_CASE("mistakes in the plan file do not hide those that need the flake") {
  const Folder folder;
  LoadedPlan loaded(folder.with("version: 1\nflake: a\nparalel: 2\nnodes: {wb: {}}\n"
                                "webhooks: [{urlEnv: X}]\n"));
  FakeStore store;
  store.outputs["a"] = flake_json("web");
  CHECK(loaded.webhooks().size() == 1); // it can still be told of the failure
  CHECK_FALSE(evaluate(loaded, store));
  loaded.resolve();
  REQUIRE(loaded.problems().size() == 2);
  CHECK(loaded.problems()[0].message == "unknown key \"paralel\"");
  CHECK(loaded.problems()[1].message == "unknown node \"wb\"");
  CHECK(loaded.problems()[1].line == 4);
}

TEST_CASE("a plan file that does not say which flake leads to none") {
  const Folder folder;
  for (const char* yaml :
       {"a: [", "- x\n", "version: 1\nflake: [a]\n", "version: 1\ntargets: [3]\n"}) {
    INFO(yaml);
    LoadedPlan loaded(folder.with(yaml));
    CHECK(loaded.evaluations().empty());
    CHECK(plan::has_errors(loaded.problems()));
    CHECK(loaded.resolve().nodes.empty());
  }
  LoadOptions missing;
  missing.plan_file = "/nonexistent/belay.yaml";
  CHECK(LoadedPlan(missing).evaluations().empty());
}

TEST_CASE("without a plan file and a target it is the flake in this folder") {
  const Folder folder;
  LoadOptions options = folder.with("version: 1\n");
  CHECK(LoadedPlan(options).flakes() == Words{"."});
}

TEST_CASE("one flake that fails does not keep the others from being read") {
  LoadOptions options;
  options.overrides.targets = {"bad", "good"};
  LoadedPlan loaded(options);
  FakeStore store;
  store.outputs["good"] = flake_json("web");
  CHECK(evaluate(loaded, store) == "evaluating bad: no such flake");
  CHECK(loaded.resolve().nodes.size() == 1);
  store.outputs["bad"] = "[]";
  LoadedPlan again(options);
  CHECK(evaluate(again, store)->find("bad#deploy") != std::string::npos);
}

TEST_CASE("a cancelled evaluation is no problem of the plan's") {
  LoadedPlan loaded(LoadOptions{});
  FakeStore store;
  CancelSource cancel;
  cancel.cancel();
  const Wait wait = Wait::at_most(std::chrono::seconds(1), cancel.token());
  CHECK_THROWS_AS(evaluate_all(
                      loaded, store, [](const nix::Progress&) {}, wait),
                  Error);
}

TEST_CASE("a path that nothing builds has to be there") {
  LoadOptions options;
  options.overrides.targets = {"a"};
  LoadedPlan loaded(options);
  FakeStore store;
  store.outputs["a"] = flake_json("web.1");
  evaluate(loaded, store);
  const plan::Plan plan = loaded.resolve();
  const auto problems = check_paths(plan, store, {});
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].message == "a#\"web.1\".system: path " + hash_part +
                                   "x is not in the store, and no derivation builds it");
  store.valid_paths.insert(hash_part + "x");
  CHECK(check_paths(plan, store, {}).empty());
}

} // namespace belay::runner
