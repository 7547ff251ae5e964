// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/base/system_name.h"
#include "engine/base/text.h"
#include "engine/nix/derivation.h"
#include "tests/catch.h"
#include "tests/unit/nix/private_nix.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <memory>
#include <sys/stat.h>

namespace belay::nix {
namespace {

using Catch::Matchers::Contains;
using nlohmann::json;

bool exists(const StorePath& path) {
  return std::filesystem::exists(path.string());
}

} // namespace

TEST_CASE("derivations and outputs survive a collection until the store object dies") {
  PrivateNix world;
  auto nix = std::make_unique<LocalNix>(world.runner());
  const auto flake = world.flake(
      R"nix({ deploy.nodes.a.profiles.p.path = mk "a" "echo > $out" { dep = mk "dep" "echo > $out" { }; }; })nix");
  const json output = json::parse(nix->evaluate({flake, {}, {}}, {}, soon()));
  const json profile = output["nodes"]["a"]["value"]["profiles"]["p"];
  const BuildGoal goal{store_path(profile["context"].begin().key()),
                       store_path(profile["path"].get<std::string>())};

  world.run({"nix-store", "--gc"});
  CHECK(exists(goal.derivation)); // between evaluation and build
  REQUIRE(nix->build({goal}, {}, {}, soon()).front().valid);
  world.run({"nix-store", "--gc"});
  CHECK(exists(goal.output));
  CHECK(exists(goal.derivation));

  nix.reset();
  world.run({"nix-store", "--gc"});
  CHECK_FALSE(exists(goal.output));
  CHECK_FALSE(exists(goal.derivation));
  CHECK(world.run({"nix-store", "--gc", "--print-roots"}).empty());
}

TEST_CASE("a derivation says what system it is built on, and what it is made from") {
  PrivateNix world;
  LocalNix nix(world.runner());
  const auto flake = world.flake(
      R"nix({ deploy.nodes.a.profiles.p.path = mk "a" "echo > $out" { dep = mk "needle" "echo > $out" { word = "in a \"haystack\""; }; }; })nix");
  const json output = json::parse(nix.evaluate({flake, {}, {}}, {}, soon()));
  const json profile = output["nodes"]["a"]["value"]["profiles"]["p"];
  const auto derivation = store_path(profile["context"].begin().key());
  CHECK(nix.system_of(derivation) == system_name());
  CHECK(nix.mentions(derivation, "needle", soon()));   // a name
  CHECK(nix.mentions(derivation, "haystack", soon())); // a text in one that it needs
  CHECK_FALSE(nix.mentions(derivation, "belay-agent", soon()));
  const auto gone = store_path("/nix/store/" + std::string(32, '0') + "-gone.drv");
  CHECK(nix.system_of(gone) == std::nullopt);
}

TEST_CASE("a derivation's system is read out of its text, whatever stands before it") {
  CHECK(
      system_in(
          R"(Derive([("out","/p","","")],[("/d",["out"])],["/s"],"x86_64-linux","/bin/sh",[],[]))") ==
      "x86_64-linux");
  CHECK(system_in(
            R"(DrvWithVersion("xp-dyn-drv",[("]\"","[","","")],[],[],"i686-linux","/b",[],[]))") ==
        "i686-linux");
  for (const char* text : {"", "Derive(", "Derive([],[],[]", "Derive([],[],[],\"x", "]]]]\"x\""}) {
    CHECK(system_in(text) == std::nullopt);
  }
}

TEST_CASE("what a killed run kept is let go by a later one, what a live one keeps is not") {
  PrivateNix world;
  const auto temporary = world.folder() / "temporary";
  const auto abandoned = temporary / "belay-roots.killed";
  std::filesystem::create_directories(abandoned);
  const auto path_before = std::getenv("TMPDIR") ? std::getenv("TMPDIR") : std::string("/tmp");
  setenv("TMPDIR", temporary.c_str(), 1);
  world.write("one", "1");
  const auto one = store_path(world.run({"nix-store", "--add", (world.folder() / "one").string()}));
  const auto long_ago = std::filesystem::file_time_type::clock::now() - std::chrono::hours(48);
  const auto age_all = [&] {
    for (const auto& entry : std::filesystem::directory_iterator(temporary))
      std::filesystem::last_write_time(entry.path(), long_ago);
  };
  LocalNix young(world.runner());
  young.root({one}, soon());
  CHECK(std::filesystem::exists(abandoned)); // it may be about to take its lock
  age_all();
  LocalNix later(world.runner());
  later.root({one}, soon());
  setenv("TMPDIR", path_before.c_str(), 1);
  CHECK_FALSE(std::filesystem::exists(abandoned));
  const auto left = std::filesystem::directory_iterator(temporary);
  CHECK(std::distance(begin(left), end(left)) == 2);
}

TEST_CASE("a path that no derivation builds is kept from its evaluation on") {
  PrivateNix world;
  LocalNix nix(world.runner());
  const auto flake = world.flake("{ deploy.nodes.a.profiles.p.path = ./extra; }");
  replace_file(std::filesystem::path(flake) / "extra", "of the flake");
  const json output = json::parse(nix.evaluate({flake, {}, {}}, {}, soon()));
  const json profile = output["nodes"]["a"]["value"]["profiles"]["p"];
  world.run({"nix-store", "--gc"});
  CHECK(exists(store_path(profile["path"].get<std::string>())));
}

TEST_CASE("rooting leaves out what is not valid and keeps the rest") {
  PrivateNix world;
  LocalNix nix(world.runner());
  world.write("one", "1");
  const auto one = store_path(world.run({"nix-store", "--add", (world.folder() / "one").string()}));
  const auto store = std::filesystem::path(one.string()).parent_path().string();
  const auto missing = store_path(store + "/s66mzxpvicwk07gjbjfw9izjfa797vsw-missing");
  const auto missing_drv = store_path(store + "/s66mzxpvicwk07gjbjfw9izjfa797vsw-missing.drv");
  const auto elsewhere = store_path("/elsewhere/s66mzxpvicwk07gjbjfw9izjfa797vsw-hello");
  nix.root({missing, one, elsewhere, missing_drv, one}, soon());
  world.run({"nix-store", "--gc"});
  CHECK(exists(one));
}

TEST_CASE("a file is added once, executable as it is, and stays") {
  PrivateNix world;
  LocalNix nix(world.runner());
  world.write("belay-agent", "#!/bin/sh\n");
  const auto file = world.folder() / "belay-agent";
  std::filesystem::permissions(file, std::filesystem::perms(0755));
  const auto added = nix.add_file(file, soon());
  CHECK(added.name() == "belay-agent");
  struct stat status {};
  REQUIRE(stat(added.string().c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0555);
  const auto information = json::parse(world.run({"nix", "path-info", "--json", added.string()}));
  // A list of objects, from Nix 2.19 on an object by path: either has one value.
  CHECK_THAT(information.begin()->at("ca").get<std::string>(), Contains("fixed:r:sha256:"));

  world.run({"nix-store", "--gc"});
  CHECK(exists(added));
  std::filesystem::remove(file); // the second time asks nobody
  CHECK(nix.add_file(file, soon()) == added);
}

TEST_CASE("a file that is not there is an error that names it") {
  PrivateNix world;
  LocalNix nix(world.runner());
  CHECK_THROWS_WITH(nix.add_file(world.folder() / "nobody", soon()), Contains("nobody"));
}

TEST_CASE("the version is read from what every kind of Nix says") {
  CHECK(parse_version("nix (Nix) 2.8.0\n") == "2.8.0");
  CHECK(parse_version("nix (Determinate Nix 3.1.1) 2.25.3\n") == "2.25.3");
  CHECK(parse_version("nix (Lix, like Nix) 2.91.1\nSystem type: x86_64-linux\n") == "2.91.1");
  CHECK(parse_version("nix (Nix) 2.31.0pre20250701_abcdef") == "2.31.0pre20250701_abcdef");
  CHECK_THROWS_AS(parse_version(""), Error);
  CHECK_THROWS_AS(parse_version("bash: nix: not found"), Error);
  PrivateNix world;
  CHECK_THAT(LocalNix(world.runner()).version(soon()), Contains("."));
}

TEST_CASE("a machine without Nix is told what to install") {
  PrivateNix world;
  const std::string path = std::getenv("PATH");
  setenv("PATH", (world.folder() / "home").c_str(), 1);
  std::string message;
  try {
    LocalNix(world.runner()).version(soon());
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::system);
    message = error.message();
  }
  setenv("PATH", path.c_str(), 1);
  CHECK_THAT(message, Contains("apt-get install nix-bin"));
}

TEST_CASE("a program below a path is seen, and so is that there is none") {
  PrivateNix world;
  const LocalNix nix(world.runner());
  const auto folder = world.folder() / "closure";
  std::filesystem::create_directories(folder / "bin");
  replace_file(folder / "bin/switch", "#!/bin/sh\n", {.mode = 0755});
  replace_file(folder / "text", "no program", {.mode = 0644});
  const auto path =
      store_path(std::string(trim(world.run({"nix-store", "--add", folder.string()}))));
  CHECK(nix.has_program(path, {"activate", "bin/switch"}) == true);
  CHECK(nix.has_program(path, {"activate", "text", "bin"}) == false);
  const auto elsewhere = store_path("/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-elsewhere");
  CHECK(nix.has_program(elsewhere, {"bin/switch"}) == std::nullopt);
}

} // namespace belay::nix
