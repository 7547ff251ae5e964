// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/restore.h"

#include "engine/base/file.h"
#include "tests/catch.h"
#include "tests/unit/agent/simulated_target.h"

#include <filesystem>
#include <fstream>

using namespace belay::agent;
using belay::agent::test::SimulatedTarget;
using belay::agent::test::store_path;

namespace {

const std::string old_path = store_path("old");
const std::string new_path = store_path("new");
const std::string other_path = store_path("other");

struct Case {
  SimulatedTarget target;
  RecordedProfile recorded;

  /// Records what stands, then sets the new closure.
  void deploy(const std::string& closure = new_path) {
    recorded = target.recorded(closure);
    REQUIRE_FALSE(target.set(recorded.path, closure));
  }
  Problem restore() { return restore_profile(target, recorded); }
  std::string current() const { return target.read(recorded.path).generation.path; }
};

} // namespace

TEST_CASE("restore: back to the recorded generation by its number, and ours is removed") {
  Case c;
  c.target.install(41, old_path);
  c.deploy();
  REQUIRE(c.target.link == "system-42-link");
  CHECK_FALSE(c.restore());
  CHECK(c.target.link == "system-41-link");
  CHECK(c.target.numbered == std::map<int, std::string>{{41, old_path}});
}

TEST_CASE("restore: a recorded number that was deleted meanwhile: the path is set again") {
  Case c;
  c.target.install(41, old_path);
  c.deploy();
  c.target.numbered.erase(41);
  CHECK_FALSE(c.restore());
  CHECK(c.current() == old_path);
  CHECK(c.target.link == "system-43-link");
}

TEST_CASE("restore: a recorded number that means something else by now is not used") {
  Case c;
  c.target.install(41, old_path);
  c.deploy();
  c.target.numbered[41] = other_path;
  CHECK_FALSE(c.restore());
  CHECK(c.current() == old_path);
  CHECK(c.target.switched_to.empty()); // not even for a moment
}

TEST_CASE("restore: a generation that leads nowhere is not switched to") {
  Case c;
  c.target.install(41, old_path);
  c.deploy();
  c.target.numbered[41] = "";
  CHECK_FALSE(c.restore());
  CHECK(c.current() == old_path);
}

TEST_CASE("restore: what was before is not the next lower number") {
  Case c;
  c.target.install(41, other_path);
  c.target.install(42, other_path + "2");
  c.target.install(40, old_path); // rolled back by hand before
  c.deploy();
  REQUIRE(c.target.link == "system-43-link");
  CHECK_FALSE(c.restore());
  CHECK(c.target.link == "system-40-link");
  CHECK(c.target.numbered.size() == 3);
}

TEST_CASE("restore: a link straight into the store is put back as it was") {
  Case c;
  c.target.link = old_path;
  c.deploy();
  CHECK_FALSE(c.restore());
  CHECK(c.target.link == old_path);
  CHECK(c.target.numbered.empty());
}

TEST_CASE("restore: a link that led nowhere is put back as it was") {
  Case c;
  c.target.link = "system-7-link";
  c.deploy();
  CHECK_FALSE(c.restore());
  CHECK(c.target.link == "system-7-link");
}

TEST_CASE("restore: the first generation goes, link and all") {
  Case c;
  c.deploy();
  CHECK_FALSE(c.restore());
  CHECK_FALSE(c.target.link);
  CHECK(c.target.numbered.empty());
}

TEST_CASE("restore: an unchanged closure keeps its generation") {
  Case c;
  c.target.install(41, new_path);
  c.deploy();
  REQUIRE(c.target.link == "system-41-link");
  CHECK_FALSE(c.restore());
  CHECK(c.target.link == "system-41-link");
  CHECK(c.target.numbered == std::map<int, std::string>{{41, new_path}});
}

TEST_CASE("restore: an unchanged closure that was not the newest gets its old number back") {
  Case c;
  c.target.install(42, other_path);
  c.target.install(41, new_path);
  c.deploy();
  REQUIRE(c.target.link == "system-43-link");
  CHECK_FALSE(c.restore());
  CHECK(c.target.link == "system-41-link");
  CHECK(c.target.numbered == std::map<int, std::string>{{41, new_path}, {42, other_path}});
}

TEST_CASE("restore: a generation that somebody else made meanwhile stays") {
  Case c;
  c.target.install(41, old_path);
  c.deploy();
  c.target.numbered[43] = other_path;
  CHECK_FALSE(c.restore());
  CHECK(c.target.numbered == std::map<int, std::string>{{41, old_path}, {43, other_path}});
}

TEST_CASE("restore: a generation of our closure that existed before stays") {
  Case c;
  c.target.install(40, new_path);
  c.target.install(41, old_path);
  c.deploy();
  CHECK_FALSE(c.restore());
  CHECK(c.target.numbered == std::map<int, std::string>{{40, new_path}, {41, old_path}});
}

TEST_CASE("restore: without a working nix-env the link is put back by hand") {
  Case c;
  c.target.install(41, old_path);
  c.deploy();
  c.target.nix_env_broken = true;
  CHECK_FALSE(c.restore());
  CHECK(c.target.link == "system-41-link");
}

TEST_CASE("restore: without a working nix-env and the old generation the link leads into the store") {
  Case c;
  c.target.install(41, old_path);
  c.deploy();
  c.target.nix_env_broken = true;
  c.target.numbered[41] = other_path;
  CHECK_FALSE(c.restore());
  CHECK(c.target.link == old_path);
}

TEST_CASE("restore: what could not be put back is never called restored") {
  Case c;
  c.target.install(41, old_path);
  c.deploy();
  c.target.nix_env_broken = c.target.links_broken = true;
  const auto problem = c.restore();
  REQUIRE(problem);
  CHECK(problem->find(new_path) != std::string::npos);
  CHECK(c.target.numbered.contains(42));
}

TEST_CASE("restore: nothing was changed, nothing is done") {
  Case c;
  c.target.install(41, old_path);
  c.recorded = c.target.recorded(new_path);
  c.target.nix_env_broken = c.target.links_broken = true;
  CHECK_FALSE(c.restore());
}

TEST_CASE("restore: a script that sets the profile to what is wrapped has not made it theirs") {
  namespace fs = std::filesystem;
  const belay::TemporaryDirectory folder("/tmp/belay-restore-");
  const auto home = fs::canonical(folder.path()) / "home";
  const auto wrapper = fs::canonical(folder.path()) / "wrapper";
  fs::create_directories(home);
  fs::create_directories(wrapper);
  std::ofstream(home / "activate") << "#!/bin/sh\n";
  fs::create_symlink(home / "activate", wrapper / "activate");
  CHECK(leads_to(wrapper, home));
  CHECK(leads_to(wrapper, wrapper));
  CHECK_FALSE(leads_to(home, wrapper));
  CHECK_FALSE(leads_to(wrapper, old_path));
  CHECK_FALSE(leads_to("", ""));
}
