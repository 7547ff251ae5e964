// SPDX-License-Identifier: Apache-2.0
#include "engine/base/file.h"
#include "runner/artifact_source.h"
#include "tests/catch.h"
#include "tests/unit/runner/fake_store.h"

#include <algorithm>

namespace belay::runner {
namespace {

const std::string locked_url = "git+file:///work?rev=1";

/// An artifact of one node in a folder of its own, and a Nix that knows its flake.
struct World {
  TemporaryDirectory folder{"/tmp/belay-artifact-test."};
  FakeStore store;
  Artifact artifact;
  RunOptions options;

  World() {
    plan::Plan plan;
    plan.flakes = {"."};
    plan::Node web{"web", ".", "h", {}, {}, {}, {}};
    web.profiles.push_back({"system", path("x"), path("x.drv"), {}, "root"});
    plan.nodes.push_back(web);
    artifact = make_artifact(plan, {{".", {locked_url, "sha256-A", true}}}, true);
    options.plan_artifact = (folder.path() / "plan.json").string();
    store.locks[locked_url] = {locked_url, "sha256-A", true};
    store.outputs[locked_url] = flake_json("web", built());
  }

  static StorePath path(const std::string& name) { return *StorePath::parse(hash_part + name); }
  plan::Profile& profile() { return artifact.plan.nodes.at(0).profiles.at(0); }

  ArtifactSource source() {
    replace_file(*options.plan_artifact, write_artifact(artifact));
    return ArtifactSource(options);
  }
  PlanSource::Made make() {
    auto from = source();
    auto made = from.make(store, [](const nix::Progress&) {}, {});
    problems = from.problems();
    return made;
  }

  plan::Diagnostics problems;
};

bool has(const std::optional<std::string>& text, const std::string& part) {
  return text.value_or("").find(part) != std::string::npos;
}

} // namespace

TEST_CASE("what the store has is deployed without a look at the flake") {
  for (const char* valid : {"x", "x.drv"}) {
    World world;
    world.store.outputs.clear();
    world.store.locks.clear();
    world.store.valid_paths = {hash_part + valid};
    const auto made = world.make();
    CHECK_FALSE(made.evaluation_error);
    CHECK(made.plan == world.artifact.plan);
    CHECK(world.problems.empty());
    const auto& rooted = world.store.rooted;
    CHECK(std::find(rooted.begin(), rooted.end(), hash_part + "x") != rooted.end());
  }
}

TEST_CASE("a profile that its target builds needs the derivation") {
  World world;
  world.profile().remote_build = true;
  world.store.valid_paths = {hash_part + "x"};
  CHECK_FALSE(world.make().evaluation_error);
  CHECK(world.store.requests.size() == 1);
  world.store.valid_paths = {hash_part + "x.drv"};
  CHECK_FALSE(world.make().evaluation_error);
  CHECK(world.store.requests.size() == 1);
}

TEST_CASE("what a substituter has is deployed without a look at the flake") {
  World world;
  world.store.outputs.clear();
  world.store.locks.clear();
  world.store.substitutable = {hash_part + "x"};
  CHECK_FALSE(world.make().evaluation_error);
  CHECK(world.store.requests.empty());
}

TEST_CASE("else the locked flake is evaluated, for what is missing alone") {
  World world;
  plan::Profile other = world.profile();
  other.name = "app";
  other.path = World::path("app");
  world.artifact.plan.nodes[0].profiles.push_back(other);
  world.store.valid_paths = {hash_part + "app"};
  const auto made = world.make();
  CHECK_FALSE(made.evaluation_error);
  REQUIRE(world.store.requests.size() == 1);
  CHECK(world.store.requests[0].flake == locked_url);
  REQUIRE(world.store.requests[0].selection.size() == 1);
  CHECK(world.store.requests[0].selection[0].node == "web");
  CHECK(world.store.requests[0].selection[0].profile == "system");
  CHECK(made.plan.nodes[0].profiles[0].derivation == World::path("x.drv"));
}

TEST_CASE("a path that comes out differently is named with node, profile and both paths") {
  World world;
  world.profile().path = World::path("planned");
  const auto made = world.make();
  CHECK(made.evaluation_error == "node \"web\", profile \"system\": the locked flake gives " +
                                     hash_part + "x where " + hash_part + "planned was planned");
}

TEST_CASE("a flake that is gone, changed or has no such profile is an error of the evaluation") {
  World gone;
  gone.store.locks.clear();
  CHECK(has(gone.make().evaluation_error, "node \"web\", profile \"system\": " + hash_part +
                                              "x is not in the store, nor is what builds it"));
  CHECK(has(gone.make().evaluation_error, "no such flake"));
  World changed;
  changed.store.locks[locked_url].nar_hash = "sha256-B";
  CHECK(has(changed.make().evaluation_error, "its narHash was sha256-A and is sha256-B"));
  CHECK(changed.store.requests.empty());
  World without;
  without.store.outputs[locked_url] = flake_json("db", built());
  CHECK(has(without.make().evaluation_error, "is not in the locked flake"));
  World broken;
  broken.store.outputs[locked_url] =
      R"({"nodes": {"web": {"selected": true, "ok": false, "profileNames": ["system"],
                            "error": "no such kernel"}}})";
  CHECK(has(broken.make().evaluation_error, "could not be evaluated: no such kernel"));
  World unnamed;
  unnamed.artifact.flakes.clear();
  CHECK(has(unnamed.make().evaluation_error, "does not name its flake"));
}

TEST_CASE("a path that nothing builds has to be in the store, also from an artifact") {
  World world;
  world.profile().derivation.reset();
  world.store.outputs[locked_url] = flake_json("web");
  CHECK_FALSE(world.make().evaluation_error);
  REQUIRE(world.problems.size() == 1);
  CHECK(world.problems[0].code == "path-not-valid");
}

TEST_CASE("nodes that the plan skips need nothing") {
  World world;
  world.artifact.plan.nodes[0].skip = true;
  world.store.locks.clear();
  CHECK_FALSE(world.make().evaluation_error);
  CHECK(world.problems.empty());
}

TEST_CASE("the command line says how fast, within the artifact's limits, and where reports go") {
  World world;
  world.store.valid_paths = {hash_part + "x"};
  world.artifact.plan.policy.parallel = 8;
  world.artifact.plan.policy.limits = {1, 1, 4, 6};
  world.options.overrides.reports.junit = "j.xml";
  world.options.overrides.parallel = 5;
  world.options.overrides.grace = plan::Seconds(1);
  world.options.overrides.lock_wait = plan::Seconds(2);
  world.options.overrides.deadline = plan::Seconds(3);
  CHECK(world.source().reports().junit == "j.xml");
  auto policy = world.make().plan.policy;
  CHECK(policy.parallel == 5);
  CHECK(policy.limits == plan::Limits{1, 1, 4, 5});
  CHECK(policy.grace == plan::Seconds(1));
  CHECK(policy.lock_wait == plan::Seconds(2));
  CHECK(policy.deadline == plan::Seconds(3));
  world.options.overrides.parallel = 100;
  policy = world.make().plan.policy;
  CHECK(policy.parallel == 100);
  CHECK(policy.limits == plan::Limits{1, 1, 4, 6});
}

TEST_CASE("what an artifact needs from the environment is known before Nix is asked") {
  World world;
  world.artifact.plan.environment = "production";
  world.profile().sudo_password =
      plan::SecretSource{plan::SecretSource::Kind::variable, "PASSWORD"};
  plan::Webhook webhook;
  webhook.url_env = "HOOK";
  world.artifact.plan.webhooks = {webhook};
  const auto source = world.source();
  CHECK(source.sudo_password_variables() == std::set<std::string>{"PASSWORD"});
  CHECK(source.webhooks().size() == 1);
  CHECK(source.environment() == "production");
  CHECK(source.file_name() == *world.options.plan_artifact);
}

TEST_CASE("a file that cannot be deployed is a problem that names it, and Nix is asked nothing") {
  World world;
  for (const std::string text : {"", "{}"}) {
    replace_file(*world.options.plan_artifact, text);
    ArtifactSource source(world.options);
    REQUIRE(source.problems().size() == 1);
    CHECK(source.problems()[0].code == "bad-artifact");
    CHECK(has(source.problems()[0].message, *world.options.plan_artifact));
    CHECK(source.make(world.store, {}, {}).plan.nodes.empty());
  }
  world.options.plan_artifact = "/nonexistent/plan.json";
  CHECK(ArtifactSource(world.options).problems().at(0).code == "unreadable-file");
}

} // namespace belay::runner
