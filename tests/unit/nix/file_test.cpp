// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "tests/catch.h"
#include "tests/unit/nix/private_nix.h"

#include <nlohmann/json.hpp>

// `--file`, and a Nix whose flakes are switched off.

namespace belay::nix {
namespace {

using Catch::Matchers::Contains;
using nlohmann::json;

const std::string node = R"nix({
  hostname = "a.example";
  profiles.system.path = derivation {
    name = "system"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "exit 1" ];
  };
})nix";

struct Imported {
  PrivateNix world;
  LocalNix nix{world.runner()};
  std::string logged;

  std::string at(const std::string& name) { return (world.folder() / name).string(); }
  json of(const std::string& name, std::vector<plan::Target> selection = {},
          plan::SourceKind kind = plan::SourceKind::file, std::vector<std::string> arguments = {}) {
    const auto listen = [this](const Progress& progress) { logged += progress.text + "\n"; };
    return json::parse(
        nix.evaluate({at(name), std::move(selection), std::move(arguments), kind}, listen, soon()));
  }
  std::string error_of(const std::string& name) {
    try {
      of(name);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::evaluation_failed);
      return error.message();
    }
    return "no error";
  }
};

} // namespace

TEST_CASE("a file is a set, or a function of nothing, or a folder with a default.nix") {
  Imported imported;
  imported.world.write("set.nix", "{ deploy.nodes.a = " + node + "; }");
  imported.world.write("function.nix", "{ more ? 1 }: { deploy.nodes.a = " + node + "; }");
  imported.world.write("default.nix", "import ./set.nix");
  for (const char* name : {"set.nix", "function.nix", "."}) {
    const json profile = imported.of(name)["nodes"]["a"]["value"]["profiles"]["system"];
    REQUIRE(profile["context"].size() == 1);
    const auto derivation = store_path(profile["context"].begin().key());
    CHECK(derivation.is_derivation());
    CHECK(imported.nix.valid({derivation}, soon()) == std::vector<bool>{true}); // it is written
  }
}

TEST_CASE("targets and names of a file are data, whatever they look like") {
  const std::string hostile = "a\"b${builtins.abort \"ran\"}\n.c";
  Imported imported;
  const std::string name = "it's \"${x}\" a.nix";
  imported.world.write(name, "{ deploy.nodes = { ${" + plan::nix_string(hostile) + "} = " + node +
                                 "; other = abort \"not forced\"; }; }");
  const json output = imported.of(name, {{name, hostile, "system"}});
  CHECK(output["nodes"][hostile]["value"]["hostname"] == "a.example");
  CHECK(output["nodes"]["other"]["selected"] == false);
}

TEST_CASE("what is wrong with a file is said with its name") {
  Imported imported;
  CHECK_THAT(imported.error_of("gone.nix"), Contains("gone.nix is not there"));
  imported.world.write("empty.nix", "{ }");
  CHECK_THAT(imported.error_of("empty.nix"),
             Contains("empty.nix: deploy: ") && Contains("no `deploy`"));
  imported.world.write("list.nix", "{ deploy = [ ]; }");
  CHECK_THAT(imported.error_of("list.nix"), Contains("list.nix") && Contains("is a list"));
  imported.world.write("syntax.nix", "{ deploy = ");
  CHECK_THAT(imported.error_of("syntax.nix"), Contains("syntax error"));
  imported.world.write("needs.nix", "{ pkgs }: { }");
  CHECK_THAT(imported.error_of("needs.nix"), Contains("pkgs"));
}

TEST_CASE("a node of a file that throws fails alone, with its message") {
  Imported imported;
  imported.world.write("hosts.nix", "{ deploy.nodes.good = " + node + R"(;
    deploy.nodes.bad = { hostname = throw "no such host"; profiles = { }; }; })");
  const json nodes = imported.of("hosts.nix")["nodes"];
  CHECK(nodes["good"]["ok"] == true);
  CHECK_THAT(nodes["bad"]["error"].get<std::string>(), Contains("no such host"));
}

TEST_CASE("the user's Nix arguments reach the evaluation of a file") {
  Imported imported;
  imported.world.write("library/default.nix", "\"from the library\"");
  imported.world.write("hosts.nix", "{ deploy.nodes.a = { hostname = import <library>; }; }");
  const json output = imported.of("hosts.nix", {}, plan::SourceKind::file,
                                  {"-I", "library=" + imported.at("library"), "-L"});
  CHECK(output["nodes"]["a"]["value"]["hostname"] == "from the library");
}

TEST_CASE("a Nix with flakes switched off imports a folder that has a default.nix") {
  Imported imported;
  const std::string deploy = "{ deploy.nodes.a.hostname = \"imported\"; }";
  imported.world.write("both/default.nix", deploy);
  imported.world.write("both/flake.nix",
                       "{ outputs = _: { deploy.nodes.a.hostname = \"flake\"; }; }");
  imported.world.write("flake/flake.nix",
                       "{ outputs = _: { deploy.nodes.a.hostname = \"flake\"; }; }");
  const auto host = [&](const std::string& folder) {
    return imported.of(folder, {}, plan::SourceKind::flake)["nodes"]["a"]["value"]["hostname"];
  };
  CHECK(host("both") == "flake");
  CHECK_THAT(imported.logged, !Contains("switched off"));
  setenv("NIX_CONFIG", "sandbox = false\nsubstituters =\nbuild-users-group =\n", 1);
  CHECK(host("both") == "imported");
  CHECK_THAT(imported.logged, Contains("switched off"));
  CHECK(host("flake") == "flake"); // nothing to import: it is switched on for this
}

} // namespace belay::nix
