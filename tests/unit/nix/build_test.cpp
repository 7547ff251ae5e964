// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "tests/catch.h"
#include "tests/unit/nix/private_nix.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace belay::nix {
namespace {

using Catch::Matchers::Contains;
using nlohmann::json;

/// Nodes whose one profile is a derivation, evaluated and built by the real Nix.
struct Built {
  PrivateNix world;
  LocalNix nix{world.runner()};
  std::vector<Progress> progress;

  /// `bindings` of a let, then the nodes' derivations by name.
  std::map<std::string, BuildGoal> goals(const std::string& bindings,
                                         const std::vector<std::string>& names) {
    std::string outputs = "let " + bindings + " in { deploy.nodes = {";
    for (const auto& name : names) {
      outputs += name + ".profiles.p.path = " + name + ";";
    }
    const auto text = nix.evaluate({world.flake(outputs + "}; }"), {}, {}}, {}, soon());
    std::map<std::string, BuildGoal> found;
    const json nodes = json::parse(text)["nodes"];
    for (const auto& [name, node] : nodes.items()) {
      const json profile = node["value"]["profiles"]["p"];
      found.insert({name,
                    {store_path(profile["context"].begin().key()),
                     store_path(profile["path"].get<std::string>())}});
    }
    return found;
  }

  std::vector<BuildResult> build(const std::vector<BuildGoal>& goals,
                                 const std::vector<std::string>& arguments = {}) {
    progress.clear();
    return nix.build(
        goals, arguments, [this](const Progress& one) { progress.push_back(one); }, soon());
  }

  bool said(Progress::Kind kind, const StorePath& derivation, bool ok, const std::string& text) {
    return std::any_of(progress.begin(), progress.end(), [&](const Progress& one) {
      return one.kind == kind && one.derivation == derivation.string() && one.ok == ok &&
             one.text == text;
    });
  }
};

constexpr auto log = Progress::Kind::log;
constexpr auto build_started = Progress::Kind::build_started;
constexpr auto build_finished = Progress::Kind::build_finished;

} // namespace

TEST_CASE("a build makes its output valid and says how") {
  Built built;
  const auto goal = built.goals(R"(a = mk "a" "echo working; echo > $out" { };)", {"a"}).at("a");
  auto results = built.build({goal});
  REQUIRE(results.size() == 1);
  CHECK(results[0].valid);
  CHECK_FALSE(results[0].cached);
  CHECK(results[0].error.empty());
  CHECK(results[0].duration < std::chrono::minutes(1));
  CHECK(built.said(build_started, goal.derivation, true, ""));
  CHECK(built.said(log, goal.derivation, true, "working"));
  CHECK(built.said(Progress::Kind::build_stopped, goal.derivation, true, ""));
  CHECK(built.said(build_finished, goal.derivation, true, ""));
  CHECK(std::filesystem::exists(goal.output.string()));

  results = built.build({goal});
  CHECK(results[0].valid);
  CHECK(results[0].cached);
  CHECK(built.progress.empty());
}

TEST_CASE("each goal has a verdict of its own, explained by the failure in its own closure") {
  Built built;
  const auto goals = built.goals(R"nix(
      shared = mk "shared" "echo shared-log; echo >&2 on-stderr; exit 3" { };
      one = mk "one" "echo > $out" { inherit shared; };
      two = mk "two" "echo > $out" { inherit shared; };
      own = mk "own" "echo own-log; exit 4" { };
      silent = mk "silent" "true" { };
      fine = mk "fine" "echo > $out" { };)nix",
                                 {"one", "two", "own", "silent", "fine"});
  const auto results = built.build({goals.at("one"), goals.at("fine"), goals.at("two"),
                                    goals.at("own"), goals.at("silent"), goals.at("one")});
  REQUIRE(results.size() == 6);
  for (const std::size_t at : {0, 2, 5}) {
    CHECK_FALSE(results[at].valid);
    CHECK_THAT(results[at].failed_derivation, Contains("-shared.drv"));
    CHECK_THAT(results[at].error, Contains("failed with exit code 3"));
    CHECK_THAT(results[at].error, Contains("shared-log\non-stderr"));
    CHECK_THAT(results[at].error, !Contains("own-log"));
    CHECK_THAT(results[at].error, !Contains("\x1b"));
  }
  CHECK(results[1].valid);
  CHECK(results[1].error.empty());
  CHECK(results[3].failed_derivation == goals.at("own").derivation.string());
  CHECK_THAT(results[3].error, Contains("own-log"));
  CHECK(results[4].failed_derivation == goals.at("silent").derivation.string());
  CHECK_THAT(results[4].error, Contains("failed to produce output"));
  CHECK(built.said(build_finished, goals.at("own").derivation, false, ""));
  CHECK(built.said(build_finished, goals.at("fine").derivation, true, ""));
}

TEST_CASE("a goal that this machine cannot build takes no other with it") {
  Built built;
  const auto goals = built.goals(R"nix(
      a = mk "a" "echo > $out" { }; z = mk "z" "echo > $out" { };
      foreign = mk "foreign" "echo > $out" { system = "riscv128-plan9"; };
      needs = mk "needs" "echo > $out" { inherit foreign; };)nix",
                                 {"a", "foreign", "needs", "z"});
  const auto results =
      built.build({goals.at("a"), goals.at("foreign"), goals.at("needs"), goals.at("z")});
  CHECK(results[0].valid);
  CHECK(results[3].valid);
  for (const std::size_t at : {1, 2}) {
    CHECK_FALSE(results[at].valid);
    CHECK(results[at].failed_derivation == goals.at("foreign").derivation.string());
    CHECK_THAT(results[at].error, Contains("riscv128-plan9"));
  }
}

TEST_CASE("a hash mismatch and a killed builder are told as such") {
  Built built;
  const auto goals = built.goals(R"nix(
      fixed = mk "fixed" "echo > $out" { outputHashAlgo = "sha256";
        outputHash = "0000000000000000000000000000000000000000000000000000"; };
      killed = mk "killed" "kill -9 $$" { };)nix",
                                 {"fixed", "killed"});
  const auto results = built.build({goals.at("fixed"), goals.at("killed")});
  CHECK_THAT(results[0].error, Contains("hash mismatch") && Contains("got:"));
  CHECK_THAT(results[1].error, Contains("signal 9"));
}

TEST_CASE("whatever a builder prints is survived") {
  Built built;
  const auto goal =
      built
          .goals(
              R"nix(a = mk "a" "printf '@nix {\n@nix {\"action\":\"stop\",\"id\":0}\n\\377\\376 \\033[31mred\n'; head -c 300000 /dev/zero | tr '\\0' x; echo; echo end; exit 1" { };)nix",
              {"a"})
          .at("a");
  const auto results = built.build({goal});
  CHECK_FALSE(results[0].valid);
  CHECK_THAT(results[0].error, Contains("red") && Contains("end"));
  CHECK_THAT(results[0].error, !Contains("\x1b"));
  CHECK(valid_utf8(results[0].error) == results[0].error);
  CHECK(results[0].error.size() < 64 * 1024);
}

TEST_CASE("arguments that only evaluation knows do not reach the build") {
  Built built;
  const auto goal = built.goals(R"(a = mk "a" "echo > $out" { };)", {"a"}).at("a");
  const auto results =
      built.build({goal}, {"--impure", "--override-input", "a", "b", "-L", "--option", "cores", "1",
                           "--max-jobs", "1", "--show-trace"});
  INFO(results[0].error);
  CHECK(results[0].valid);
}

TEST_CASE("an argument that Nix refuses is no valid output") {
  Built built;
  const auto goal = built.goals(R"(a = mk "a" "echo > $out" { };)", {"a"}).at("a");
  const auto results = built.build({goal}, {"--no-such-flag"});
  CHECK_FALSE(results[0].valid);
  CHECK_THAT(results[0].error, Contains("no-such-flag"));
}

TEST_CASE("a build ends with its token") {
  Built built;
  const auto goal = built.goals(R"(a = mk "a" "echo go; sleep 100" { };)", {"a"}).at("a");
  CancelSource stop;
  const auto start = BootClock::now();
  const auto sink = [&](const Progress& one) {
    if (one.text == "go") {
      stop.cancel();
    }
  };
  try {
    built.nix.build({goal}, {}, sink, Wait::at_most(std::chrono::minutes(1), stop.token()));
    FAIL("it went on");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::cancelled);
  }
  CHECK(BootClock::now() - start < std::chrono::seconds(50));
}

TEST_CASE("more derivations than one command line holds are rooted and looked up all the same") {
  Built built;
  const auto text = built.nix.evaluate(
      {built.world.flake(R"nix({ deploy.nodes = builtins.listToAttrs (builtins.genList (n: {
          name = "n${toString n}"; value.profiles.p.path = (mk "node-${toString n}-with-a-name-that-is-rather-long-${toString n}-as-names-of-derivations-go" "echo > $out" { }); }) 1200); })nix"),
       {},
       {}},
      {}, soon());
  std::vector<StorePath> derivations;
  const json nodes = json::parse(text)["nodes"];
  for (const auto& node : nodes) {
    derivations.push_back(store_path(node["value"]["profiles"]["p"]["context"].begin().key()));
  }
  built.world.run({"nix-store", "--gc"});
  const auto valid = built.nix.valid(derivations, soon());
  CHECK(std::count(valid.begin(), valid.end(), true) == 1200);
}

TEST_CASE("validity is asked of this store alone") {
  Built built;
  const auto goal = built.goals(R"(a = mk "a" "echo > $out" { };)", {"a"}).at("a");
  const auto elsewhere = store_path("/elsewhere/s66mzxpvicwk07gjbjfw9izjfa797vsw-hello");
  CHECK(built.nix.valid({elsewhere, goal.derivation, goal.output, elsewhere}, soon()) ==
        std::vector<bool>{false, true, false, false});
  CHECK(built.nix.valid({}, soon()).empty());
}

} // namespace belay::nix
