// SPDX-License-Identifier: Apache-2.0
#include "engine/base/text.h"
#include "tests/catch.h"
#include "tests/unit/nix/private_nix.h"
#include "tests/unit/nix/recorded_daemon.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace belay::nix {
namespace {

using Catch::Matchers::Contains;
using nlohmann::json;
using Settings = std::map<std::string, std::string>;

/// A closure of two paths in the runner's store, and a target.
struct Copied {
  PrivateNix world;
  LocalNix nix{world.runner()};
  std::string store = (world.folder() / "store").string();
  RecordedDaemon target{world.folder(), store};

  BuildGoal goal() {
    const auto flake = world.flake(R"nix({ deploy.nodes.a.profiles.p.path =
        mk "top" "echo $dep > $out" { dep = mk "dep" "echo > $out" { }; }; })nix");
    const json output = json::parse(nix.evaluate({flake, {}, {}}, {}, soon()));
    const json profile = output["nodes"]["a"]["value"]["profiles"]["p"];
    return {store_path(profile["context"].begin().key()),
            store_path(profile["path"].get<std::string>())};
  }

  StorePath built() {
    const auto made = goal();
    REQUIRE(nix.build({made}, {}, {}, soon()).front().valid);
    return made.output;
  }

  CopyOutcome copy(const StorePath& path, CopyRequest request = {}) {
    request.paths = {path};
    request.store_uri = target.store_uri();
    return nix.copy(request, {}, soon());
  }

  /// Of the closure.
  std::size_t archive_bytes(const StorePath& path) {
    std::size_t bytes = 0;
    for (const auto& line :
         split_white_space(world.run({"nix-store", "--query", "--requisites", path.string()}))) {
      // An archive begins with a byte 13, which run() takes for white space and trims.
      bytes += 1 + world.run({"nix-store", "--dump", line}).size();
    }
    return bytes;
  }
};

/// What a runner may have for itself, and a target must never hear of.
constexpr std::string_view runners_own = R"(post-build-hook = /runner/hook
secret-key-files = /runner/key
substituters = http://runner.invalid
substitute = false
trusted-public-keys = runner:AAAA
max-jobs = 77
cores = 55
fallback = true
keep-failed = true
max-silent-time = 44
builders = ssh://runner
netrc-file = /runner/netrc
access-tokens = github.com=runner
user-agent-suffix = runner
experimental-features = nix-command flakes
)";

} // namespace

TEST_CASE("a copy brings the whole closure over one connection") {
  Copied copied;
  const auto path = copied.built();
  std::vector<std::string> told;
  std::uint64_t missing = 0;
  const auto outcome = copied.nix.copy(
      {{path}, copied.target.store_uri()},
      [&](const Progress& progress) {
        if (progress.kind == Progress::Kind::copying) {
          told.push_back(progress.text);
        } else if (progress.kind == Progress::Kind::copy_count) {
          missing = progress.number;
        }
      },
      soon());
  INFO(outcome.process.err);
  REQUIRE(outcome.process.succeeded());
  CHECK(outcome.copied.size() == 2);
  CHECK(std::count(outcome.copied.begin(), outcome.copied.end(), path.string()) == 1);
  CHECK(told == outcome.copied);
  CHECK(missing == 2);
  CHECK(copied.copy(path).copied.empty()); // the second time there is nothing to do
  copied.target.stop();
  CHECK(copied.target.connections() == 2);
  const auto there = copied.world.run({"nix-store", "--store", copied.target.direct_uri(),
                                       "--query", "--requisites", path.string()});
  CHECK_THAT(there, Contains("-dep") && Contains("-top"));
}

TEST_CASE("what a store lacks of a closure is known before a copy, and how much that is") {
  Copied copied;
  const auto path = copied.built();
  const auto missing = [&] {
    return copied.nix.missing_paths({path}, copied.target.store_uri(), soon());
  };
  const auto all = missing();
  CHECK(all.size() == 2);
  CHECK(copied.nix.archive_bytes(all, soon()) == copied.archive_bytes(path));
  const auto dependency = all[all[0] == path ? 1 : 0];
  REQUIRE(copied.copy(dependency).process.succeeded());
  CHECK(missing() == std::vector{path});
  REQUIRE(copied.copy(path).process.succeeded());
  CHECK(missing().empty());
}

TEST_CASE("the runner's own Nix settings stay at home") {
  Copied copied;
  const auto path = copied.built();
  copied.world.system_configuration(std::string(runners_own));
  copied.world.user_configuration(std::string(runners_own));
  const std::string before = std::getenv("NIX_CONFIG");
  setenv("NIX_CONFIG", std::string(runners_own).c_str(), 1);
  const auto first = copied.copy(path);
  const auto second = copied.copy(path, {.paths = {}, .store_uri = {}, .substitute = false});
  setenv("NIX_CONFIG", before.c_str(), 1);
  INFO(first.process.err << second.process.err);
  REQUIRE(first.process.succeeded());
  REQUIRE(second.process.succeeded());
  copied.target.stop();
  REQUIRE(copied.target.connections() == 2);
  const auto options = copied.target.set_options(0);
  Settings sent = options.overrides;
  sent.erase("experimental-features"); // some releases send it, others do not
  CHECK(json(sent) == json(Settings{{"builders-use-substitutes", "true"}}));
  CHECK(options.substitute == 1);
  CHECK(options.keep_failed == 0);
  CHECK(options.keep_going == 0);
  CHECK(options.fallback == 0);
  CHECK(options.max_silent_time == 0);
  CHECK(options.max_jobs != 77);
  CHECK(options.cores != 55);
  CHECK(copied.target.set_options(1).overrides.at("builders-use-substitutes") == "false");
}

TEST_CASE("what a target does not build for is not sent to it") {
  Copied copied;
  const auto outcome = copied.nix.build_there(
      {copied.goal(), copied.target.store_uri(), {1, 0, {"powerpc64le-linux"}}}, {}, soon());
  CHECK_FALSE(outcome.result.valid);
  CHECK(outcome.sources.copied.empty());
  CHECK_THAT(outcome.result.error, Contains("the Nix there builds for powerpc64le-linux"));
  copied.target.stop();
}

TEST_CASE("a build on the target has the target's own capacity, and no setting of the runner's") {
  Copied copied;
  const auto goal = copied.goal();
  copied.world.system_configuration(std::string(runners_own));
  copied.world.user_configuration(std::string(runners_own));
  const std::string before = std::getenv("NIX_CONFIG");
  setenv("NIX_CONFIG", std::string(runners_own).c_str(), 1);
  const BuildCapacity capacity{.jobs = 6,
                               .cores = 5,
                               .silence = std::chrono::seconds(90),
                               .substitute = false,
                               .fallback = true,
                               .keep_failed = true};
  // This target's store is not where its builders would write: the build fails, there.
  const auto outcome =
      copied.nix.build_there({goal, copied.target.store_uri(), capacity}, {}, soon());
  setenv("NIX_CONFIG", before.c_str(), 1);
  INFO(outcome.sources.process.err << outcome.result.error);
  CHECK(outcome.sources.process.succeeded());
  CHECK(outcome.sources.copied.size() >= 2); // the derivations
  CHECK_FALSE(outcome.result.valid);
  // Nix 2.26 refuses before it names one.
  CHECK_THAT(outcome.result.failed_derivation + outcome.result.error,
             Contains("-dep.drv") || Contains("sandboxed build"));
  copied.target.stop();
  bool built = false;
  for (std::size_t i = 0; i < copied.target.connections(); ++i) {
    const auto options = copied.target.set_options(i);
    Settings sent = options.overrides;
    sent.erase("experimental-features");
    sent.erase("builders-use-substitutes");
    INFO(i);
    CHECK(json(sent) == json(Settings{}));
    CHECK(options.max_jobs != 77);
    CHECK(options.cores != 55);
    if (options.max_jobs == 6 && options.keep_going == 1) {
      built = true;
      CHECK(options.cores == 5);
      CHECK(options.max_silent_time == 90);
      CHECK(options.substitute == 0);
      CHECK(options.fallback == 1);
      CHECK(options.keep_failed == 1);
    }
  }
  CHECK(built);
  CHECK_FALSE(copied.nix.valid({goal.output}, soon()).front());
}

TEST_CASE("unsigned paths go over unless signatures are asked for") {
  Copied copied;
  const auto path = copied.built();
  const auto refused = copied.copy(
      path, {.paths = {}, .store_uri = {}, .substitute = true, .check_signatures = true});
  CHECK_FALSE(refused.process.succeeded());
  CHECK_THAT(refused.process.err, Contains("signature"));
  CHECK(copied.copy(path).process.succeeded());
}

TEST_CASE("a copy that fails is a value with Nix's words") {
  Copied copied;
  const auto path = copied.built();
  const auto outcome = copied.nix.copy(
      {{path}, "unix://" + (copied.world.folder() / "nobody").string()}, {}, soon());
  CHECK_FALSE(outcome.process.succeeded());
  CHECK_THAT(outcome.process.err, Contains("nobody"));
  CHECK(outcome.copied.empty());
}

TEST_CASE("a copied agent is content-addressed and needs no signature") {
  Copied copied;
  copied.world.write("agent", "#!/bin/sh\n");
  const auto agent = copied.nix.add_file(copied.world.folder() / "agent", soon());
  const auto outcome = copied.copy(
      agent, {.paths = {}, .store_uri = {}, .substitute = true, .check_signatures = true});
  INFO(outcome.process.err);
  CHECK(outcome.process.succeeded());
}

} // namespace belay::nix
