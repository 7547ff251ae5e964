// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/base/system_name.h"
#include "tests/catch.h"
#include "tests/unit/nix/private_nix.h"

namespace belay::nix {
namespace {

using Catch::Matchers::Contains;

/// What the real Nix says of a flake.
struct Checked {
  PrivateNix world;
  LocalNix nix{world.runner()};
  std::string logged;

  std::vector<FailedCheck> of(const EvaluateRequest& request) {
    return nix.check(
        request, [this](const Progress& progress) { logged += progress.text + "\n"; }, soon());
  }
  std::vector<FailedCheck> of(const std::string& outputs) {
    return of(EvaluateRequest{world.flake(outputs), {}, {}, plan::SourceKind::flake});
  }
  FailedCheck one(const std::string& outputs) {
    const auto failed = of(outputs);
    REQUIRE(failed.size() == 1);
    return failed.front();
  }
};

/// Attribute of a check of this system.
std::string name(const std::string& check) {
  return "checks." + system_name() + "." + check;
}
} // namespace

TEST_CASE("checks that succeed say nothing, and their logs are heard") {
  Checked checked;
  CHECK(checked.of("{ deploy.nodes = { }; }").empty());
  CHECK(checked
            .of("{ deploy.nodes = { }; " + name("good") +
                R"( = mk "good" "echo looking; echo > $out" { }; })")
            .empty());
  CHECK_THAT(checked.logged, Contains("looking"));
  CHECK_THAT(checked.logged, !Contains("unknown flake output 'deploy'"));
}

TEST_CASE("a check that fails is named by its attribute, with its log") {
  Checked checked;
  const auto failed = checked.one("{ deploy.nodes = { }; " + name("deploy-schema") +
                                  R"( = mk "jsonschema" "echo no hostname; exit 3" { }; )" +
                                  name("fine") + R"( = mk "fine" "echo > $out" { }; })");
  CHECK(failed.name == name("deploy-schema"));
  CHECK_THAT(failed.error, Contains("failed with exit code 3") && Contains("no hostname"));
}

TEST_CASE("a check that needs what cannot be built is named, not what it needs") {
  Checked checked;
  const auto failed = checked.one("{ deploy.nodes = { }; " + name("\"a.b\"") +
                                  R"( = mk "outer" "echo > $out" { needs =
                                  mk "inner" "echo broken inside; exit 1" { }; }; })");
  CHECK(failed.name == name("\"a.b\""));
  CHECK_THAT(failed.error, Contains("inner.drv") && Contains("broken inside"));
}

TEST_CASE("every check that fails is named where Nix goes on") {
  Checked checked;
  const auto flake =
      checked.world.flake("{ deploy.nodes = { }; " + name("one") + R"( = mk "one" "exit 1" { }; )" +
                          name("two") + R"( = mk "two" "exit 2" { }; })");
  const auto failed =
      checked.of(EvaluateRequest{flake, {}, {"--keep-going"}, plan::SourceKind::flake});
  REQUIRE(failed.size() == 2);
  CHECK(failed[0].name != failed[1].name);
}

TEST_CASE("a check that cannot be evaluated is named") {
  Checked checked;
  const auto failed = checked.one("{ deploy.nodes = { }; " + name("broken") + " = { }.missing; }");
  CHECK(failed.name == name("broken"));
  CHECK_THAT(failed.error, Contains("attribute 'missing' missing") && !Contains("\x1b"));
}

TEST_CASE("what fails beside the checks is named, too, and what has no name has a message") {
  Checked checked;
  CHECK(checked.one("{ packages." + system_name() + ".foo = 5; }").name ==
        "packages." + system_name() + ".foo");
  const auto none = checked.of(
      EvaluateRequest{checked.world.folder().string() + "/home", {}, {}, plan::SourceKind::flake});
  REQUIRE(none.size() == 1);
  CHECK(none.front().name.empty());
  CHECK_THAT(none.front().error, Contains("flake.nix"));
}

TEST_CASE("the user's Nix arguments reach the checks") {
  Checked checked;
  const auto flake = checked.world.flake("{ deploy.nodes = { }; " + name("impure") +
                                         R"( = mk "x" (if builtins.getEnv "HOME" == "" then
                                         "exit 1" else "echo > $out") { }; })");
  CHECK(checked.of(EvaluateRequest{flake, {}, {}, plan::SourceKind::flake}).size() == 1);
  CHECK(checked.of(EvaluateRequest{flake, {}, {"--impure"}, plan::SourceKind::flake}).empty());
}

TEST_CASE("the checks of a file are those of this system") {
  Checked checked;
  const auto file = [&](const std::string& body) {
    checked.world.write("hosts.nix", body);
    return EvaluateRequest{
        checked.world.folder().string() + "/hosts.nix", {}, {"-L"}, plan::SourceKind::file};
  };
  const std::string make = R"(derivation { name = "c"; builder = "/bin/sh"; system = ")" +
                           system_name() + R"("; args = [ "-c" "echo seen; )";
  CHECK(checked.of(file("{ deploy.nodes = { }; }")).empty());
  CHECK(checked.of(file("{ checks.other-system.x = throw \"foreign\"; }")).empty());
  CHECK(checked.of(file("{ }: { " + name("c") + " = " + make + "echo > $out\" ]; }; }")).empty());
  const auto failed = checked.of(file("{ " + name("c") + " = " + make + "exit 2\" ]; }; }"));
  REQUIRE(failed.size() == 1);
  CHECK(failed.front().name == name("c"));
  CHECK_THAT(failed.front().error, Contains("seen"));
}

TEST_CASE("a check is ended by its token") {
  Checked checked;
  CancelSource stop;
  const auto flake = checked.world.flake("{ deploy.nodes = { }; " + name("slow") +
                                         R"( = mk "slow" "echo begun; sleep 600" { }; })");
  try {
    checked.nix.check(
        {flake, {}, {}, plan::SourceKind::flake},
        [&](const Progress& progress) {
          if (progress.text == "begun") {
            stop.cancel();
          }
        },
        Wait::at_most(std::chrono::minutes(1), stop.token()));
    FAIL("it did not end");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::cancelled);
  }
}

} // namespace belay::nix
