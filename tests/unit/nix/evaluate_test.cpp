// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "tests/catch.h"
#include "tests/unit/nix/private_nix.h"

#include <nlohmann/json.hpp>

namespace belay::nix {
namespace {

using Catch::Matchers::Contains;
using nlohmann::json;

/// A flake evaluated by the real Nix.
struct Evaluated {
  PrivateNix world;
  LocalNix nix{world.runner()};
  std::vector<std::string> logged;

  json of(const std::string& outputs, std::vector<plan::Target> selection = {}) {
    return json::parse(text_of(world.flake(outputs), std::move(selection)));
  }
  std::string text_of(const std::string& flake, std::vector<plan::Target> selection = {},
                      std::vector<std::string> arguments = {}) {
    return nix.evaluate(
        {flake, std::move(selection), std::move(arguments)},
        [this](const Progress& progress) { logged.push_back(progress.text); }, soon());
  }
  std::string error_of(const std::string& flake) {
    try {
      text_of(flake);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::evaluation_failed);
      return error.message();
    }
    return "no error";
  }
};

const std::string two_nodes = R"nix({
  deploy = {
    sshUser = "admin"; confirmTimeout = 7; unknown = throw "never forced";
    nodes.web-1 = {
      hostname = "web-1.example"; profilesOrder = [ "system" ]; user = null;
      profiles.system = { path = mk "system" "echo > $out" { }; magicRollback = false; };
      profiles.app = { path = "${mk "app" "echo > $out" { }}"; profilePath = "/p"; };
    };
    nodes.db-1 = { hostname = "db-1"; profiles.system.path = "/not/in/the/store"; };
  };
})nix";

} // namespace

TEST_CASE("an evaluation brings settings, store path and derivation together") {
  Evaluated evaluated;
  const json output = evaluated.of(two_nodes);
  CHECK(output["generic"] == json({{"sshUser", "admin"}, {"confirmTimeout", 7}}));
  const json web = output["nodes"]["web-1"];
  CHECK(web["selected"] == true);
  CHECK(web["ok"] == true);
  CHECK(web["profileNames"] == json({"app", "system"}));
  CHECK(web["value"]["hostname"] == "web-1.example");
  CHECK(web["value"]["user"].is_null());
  CHECK(web["value"]["profilesOrder"] == json({"system"}));
  const json profiles = web["value"]["profiles"];
  CHECK(profiles["system"]["magicRollback"] == false);
  CHECK(profiles["app"]["profilePath"] == "/p");
  for (const char* name : {"system", "app"}) { // `drv` and "${drv}" alike
    const json context = profiles[name]["context"];
    REQUIRE(context.size() == 1);
    CHECK(store_path(context.begin().key()).is_derivation());
    CHECK(context.begin().value() == json({{"outputs", {"out"}}}));
    CHECK(StorePath::parse(profiles[name]["path"].get<std::string>()));
  }
  const json elsewhere = output["nodes"]["db-1"]["value"]["profiles"]["system"];
  CHECK(elsewhere["path"] == "/not/in/the/store");
  CHECK(elsewhere["context"] == json::object());
}

TEST_CASE("what is not selected is named but not evaluated") {
  Evaluated evaluated;
  const std::string flake = R"nix({ deploy.nodes = {
    a = { hostname = "a"; profiles = { one.path = "/x"; two = throw "not forced"; }; };
    b = { hostname = abort "not forced"; profiles.p = abort "not forced"; };
    c = throw "not even a set";
  }; })nix";
  const json output = evaluated.of(flake, {{".", "a", "one"}});
  CHECK(output["nodes"]["a"]["value"]["profiles"].size() == 1);
  CHECK(output["nodes"]["a"]["profileNames"] == json({"one", "two"}));
  CHECK(output["nodes"]["b"] == json({{"selected", false}, {"profileNames", {"p"}}}));
  CHECK(output["nodes"]["c"] == json({{"selected", false}, {"profileNames", json::array()}}));
}

TEST_CASE("a node that cannot even be named does not keep others from being deployed") {
  Evaluated evaluated;
  const std::string flake = R"nix({ deploy.nodes = {
    good = { hostname = "good"; profiles.p.path = "/x"; };
    broken = { }.missing;
  }; })nix";
  const json output = evaluated.of(flake, {{".", "good", {}}});
  CHECK(output["nodes"]["good"]["value"]["hostname"] == "good");
  CHECK(output["nodes"]["broken"] == json({{"selected", false}, {"profileNames", json::array()}}));
  CHECK_THAT(evaluated.error_of(evaluated.world.flake(flake)), Contains("'missing'"));
}

TEST_CASE("a node named whole is whole whatever else is said of it") {
  Evaluated evaluated;
  const json output = evaluated.of(two_nodes, {{".", "web-1", "app"}, {".", "web-1", {}}});
  CHECK(output["nodes"]["web-1"]["value"]["profiles"].size() == 2);
  CHECK(output["nodes"]["db-1"]["selected"] == false);
}

TEST_CASE("a node's throw fails that node alone and its message is found") {
  Evaluated evaluated;
  const json output = evaluated.of(R"nix({ deploy.nodes = {
    good = { hostname = "good"; profiles.system.path = "/x"; };
    bad = { hostname = "bad"; profiles.system.path = throw "no such kernel"; };
  }; })nix");
  CHECK(output["nodes"]["good"]["ok"] == true);
  CHECK(output["nodes"]["bad"]["ok"] == false);
  CHECK_FALSE(output["nodes"]["bad"].contains("value"));
  CHECK_THAT(output["nodes"]["bad"]["error"].get<std::string>(), Contains("no such kernel"));
  REQUIRE(evaluated.logged.size() == 1);
  CHECK_THAT(evaluated.logged[0], Contains("node bad: no such kernel"));
}

TEST_CASE("an error that Nix cannot catch fails the run with Nix's message") {
  Evaluated evaluated;
  const auto flake = evaluated.world.flake(
      R"nix({ deploy.nodes.a = { hostname = { }.missing; profiles.p.path = "/x"; }; })nix");
  const auto message = evaluated.error_of(flake);
  CHECK_THAT(message, Contains("attribute 'missing' missing"));
  CHECK_THAT(message, Contains("flake.nix:"));
  CHECK_THAT(message, !Contains("\x1b"));
}

TEST_CASE("a flake that has nothing to deploy says so") {
  Evaluated evaluated;
  CHECK_THAT(evaluated.error_of(evaluated.world.flake("{ }")), Contains("no `deploy` output"));
  CHECK_THAT(evaluated.error_of(evaluated.world.folder().string() + "/home"),
             Contains("no flake.nix"));
  CHECK(evaluated.of("{ deploy = { }; }")["nodes"].is_null());
  CHECK(evaluated.of("{ deploy.nodes = [ ]; }")["nodes"] == json::array());
  CHECK_THAT(evaluated.error_of(evaluated.world.flake("{ deploy = x: x; }")),
             Contains("is a lambda"));
  CHECK_THAT(evaluated.error_of(evaluated.world.flake(
                 R"({ packages.x86_64-linux.deploy = mk "deploy" "" { };
                      packages.aarch64-linux.deploy = mk "deploy" "" { };
                      deploy.nodes = { }; })")),
             Contains("hides the flake's `deploy` output"));
}

TEST_CASE("values of a wrong type are passed on, and none of them ends the evaluation") {
  Evaluated evaluated;
  const json output = evaluated.of(R"nix({ deploy = { sshUser = 3; sudo = { a = throw "x"; };
    tempPath = /tmp; nodes = {
      a = { hostname = x: x; sshOpts = [ "-p" 22 (x: x) [ ] ]; profiles.p = { path = { }; user = mk "u" "" { }; }; };
      b = "text"; c = { hostname = "c"; profiles = 5; }; d = { profiles.p = null; };
      e.profiles.p = { path = null; confirmTimeout = 1.5; }; f.profiles.p.path = [ ];
      g.profiles.p.path = ./flake.nix; h.profiles.p.path = { outPath = "/x"; };
    }; }; })nix");
  const json nodes = output["nodes"];
  const auto type = [](const char* name) { return json({{"__type", name}}); };
  CHECK(output["generic"] == json({{"sshUser", 3}, {"sudo", type("set")}, {"tempPath", "/tmp"}}));
  CHECK(nodes["a"]["value"]["hostname"] == type("lambda"));
  CHECK(nodes["a"]["value"]["sshOpts"] == json({"-p", 22, type("lambda"), type("list")}));
  CHECK(nodes["a"]["value"]["profiles"]["p"] ==
        json({{"path", type("set")}, {"user", type("derivation")}}));
  CHECK(nodes["b"]["value"] == "text");
  CHECK(nodes["c"]["value"]["profiles"] == 5);
  CHECK(nodes["d"]["value"]["profiles"]["p"].is_null());
  CHECK(nodes["e"]["value"]["profiles"]["p"]["path"].is_null());
  CHECK(nodes["f"]["value"]["profiles"]["p"]["path"] == json::array());
  const json source = nodes["g"]["value"]["profiles"]["p"];
  CHECK(source["context"].begin().value() == json({{"path", true}}));
  CHECK(nodes["h"]["value"]["profiles"]["p"]["path"] == "/x");
}

TEST_CASE("names are data, whatever they look like") {
  const std::string hostile = GENERATE(
      values<std::string>({"a\"b", "${builtins.abort \"ran\"}", "$${x}", "line\nbreak\ttab\r",
                           "back\\slash", "if", "\\\"; } // throw \"ran\"", "''", "-n", "ü ", ""}));
  INFO("name: " << hostile);
  Evaluated evaluated;
  const std::string name = plan::nix_string(hostile);
  const json output =
      evaluated.of("{ deploy.nodes.${" + name + "} = { hostname = \"h\"; profiles.${" + name +
                       "}.path = \"/x\"; }; deploy.nodes.other = { }; }",
                   {{".", hostile, hostile}});
  CHECK(output["nodes"][hostile]["selected"] == true);
  CHECK(output["nodes"][hostile]["value"]["profiles"][hostile]["path"] == "/x");
  CHECK(output["nodes"]["other"]["selected"] == false);
}

TEST_CASE("a name that JSON cannot carry through Nix is refused") {
  Evaluated evaluated;
  CHECK_THAT(evaluated.error_of(evaluated.world.flake("{ deploy.nodes.outPath = { }; }")),
             Contains("cannot be called outPath"));
}

TEST_CASE("the user's Nix arguments reach the evaluation") {
  Evaluated evaluated;
  const auto flake =
      evaluated.world.flake(R"nix({ deploy.nodes.a.hostname = builtins.getEnv "HOME"; })nix");
  const json output = json::parse(evaluated.text_of(flake, {}, {"--impure"}));
  CHECK(output["nodes"]["a"]["value"]["hostname"] == std::getenv("HOME"));
}

TEST_CASE("thousands of nodes come whole") {
  Evaluated evaluated;
  const json output = evaluated.of(R"nix({ deploy.nodes = builtins.listToAttrs (builtins.genList
    (n: { name = "node-${toString n}"; value = { hostname = "h"; sshOpts = builtins.genList toString 100;
      profiles.system.path = "/x"; }; }) 4000); })nix");
  CHECK(output["nodes"].size() == 4000);
  CHECK(output.dump().size() > (1 << 20)); // more than a process keeps by default
}

TEST_CASE("an evaluation is ended by its token and by its deadline") {
  Evaluated evaluated;
  const auto flake = evaluated.world.flake(
      "{ deploy.nodes.a.hostname = builtins.foldl' (a: b: a + b) 0 (builtins.genList (x: "
      "builtins.length (builtins.genList (y: y) 1000)) 100000000); }");
  const auto evaluate = [&](const Wait& wait) {
    try {
      evaluated.nix.evaluate({flake, {}, {}}, {}, wait);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::internal;
  };
  CancelSource stop;
  stop.cancel();
  CHECK(evaluate(Wait::at_most(std::chrono::minutes(1), stop.token())) == ErrorKind::cancelled);
  CHECK(evaluate(Wait::at_most(std::chrono::milliseconds(200))) == ErrorKind::deadline_exceeded);
}

} // namespace belay::nix
