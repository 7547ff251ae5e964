// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/nix_tools.h"
#include "engine/agent/opening.h"
#include "engine/agent/profile_store.h"
#include "engine/agent/scripts.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tests/catch.h"
#include "tests/unit/agent/no_descriptors.h"

#include <fstream>
#include <sys/stat.h>

using namespace belay::agent;
namespace fs = std::filesystem;

namespace {

struct Folder {
  belay::TemporaryDirectory folder{"/tmp/belay-nix-"};
  std::string path(const std::string& name) const { return (folder.path() / name).string(); }
  void program(const std::string& name) const {
    fs::create_directories(fs::path(path(name)).parent_path());
    std::ofstream(path(name)) << "#!/bin/sh\n";
    chmod(path(name).c_str(), 0755);
  }
};

} // namespace

TEST_CASE("5.10: Nix is found in PATH, else where installers put it, also without a login shell") {
  CHECK(nix_folders("/home/app", "app") ==
        std::vector<std::string>{"/run/current-system/sw/bin", "/nix/var/nix/profiles/default/bin",
                                 "/home/app/.nix-profile/bin", "/etc/profiles/per-user/app/bin"});
  CHECK(path_with_nix("/usr/bin:/b", {"/b", "/c"}) == "/usr/bin:/b:/c");
  CHECK(path_with_nix("", {"/c"}) == "/c");
  Folder f;
  f.program("one/nix-env");
  f.program("two/nix-env");
  f.program("two/nix-store");
  const auto path = f.path("none") + ":" + f.path("one") + ":" + f.path("two");
  const auto tools = find_nix_tools(path);
  REQUIRE(tools);
  CHECK(tools->nix_env == f.path("one/nix-env"));
  CHECK(tools->nix_store == f.path("two/nix-store"));
  CHECK_FALSE(find_nix_tools(f.path("one")));
  chmod(f.path("two/nix-store").c_str(), 0644);
  CHECK_FALSE(find_nix_tools(path));
}

TEST_CASE("5.7: the path of a profile, by deploy-rs's rules") {
  Folder f;
  const std::map<std::string, std::string> environment = {{"NIX_STATE_DIR", f.path("nix")},
                                                          {"HOME", "/home/app"}};
  const auto path = [&](const std::string& name, const std::string& user) {
    return profile_path_for({.name = name}, user, environment);
  };
  CHECK(path("system", "root") == f.path("nix/profiles/system"));
  CHECK(path("web", "root") == f.path("nix/profiles/per-user/root/web"));
  CHECK(path("web", "app") == "/home/app/.local/state/nix/profiles/web");
  CHECK(path("system", "app") == "/home/app/.local/state/nix/profiles/system");
  fs::create_directories(f.path("nix/profiles/per-user/app"));
  CHECK(path("web", "app") == f.path("nix/profiles/per-user/app/web"));
  CHECK(profile_path_for({.name = "web", .profile_path = "/p"}, "root", {}) == "/p");
  CHECK(profile_path_for({.name = "system"}, "root", {}) == "/nix/var/nix/profiles/system");
  CHECK(profile_path_for({.name = "web"}, "app", {{"XDG_STATE_HOME", "/x"}}) ==
        "/x/nix/profiles/web");
}

TEST_CASE("5.7: a profile that is in the user's home stays there when Nix makes his folder later") {
  Folder f;
  const std::map<std::string, std::string> environment = {{"NIX_STATE_DIR", f.path("nix")},
                                                          {"XDG_STATE_HOME", f.path("state")}};
  const auto path = [&] { return profile_path_for({.name = "web"}, "app", environment); };
  fs::create_directories(f.path("state/nix/profiles"));
  fs::create_symlink("web-1-link", f.path("state/nix/profiles/web"));
  fs::create_directories(f.path("nix/profiles/per-user/app"));
  CHECK(path() == f.path("state/nix/profiles/web"));
  fs::create_symlink("web-1-link", f.path("nix/profiles/per-user/app/web"));
  CHECK(path() == f.path("nix/profiles/per-user/app/web"));
}

TEST_CASE("profile: what its link says") {
  Folder f;
  const auto profile = f.path("my profile");
  CHECK_FALSE(read_profile(profile).link);
  fs::create_directories(f.path("store/old"));
  fs::create_symlink(f.path("store/old"), f.path("my profile-12-link"));
  fs::create_symlink("my profile-12-link", profile);
  auto reading = read_profile(profile);
  CHECK(reading.link == "my profile-12-link");
  CHECK(reading.generation.number == 12);
  CHECK(reading.generation.path == fs::canonical(f.path("store/old")).string());
  fs::remove(f.path("my profile-12-link")); // dangling
  reading = read_profile(profile);
  CHECK(reading.link);
  CHECK(reading.generation.path.empty());
  fs::remove(profile);
  fs::create_symlink(f.path("store/old"), profile); // straight
  reading = read_profile(profile);
  CHECK_FALSE(reading.generation.number);
  CHECK_FALSE(reading.generation.path.empty());
  for (const auto* odd : {"my profile--link", "my profile-x-link", "other-3-link",
                          "my profile-3-link-4", "my profile-99999999999-link"}) {
    fs::remove(profile);
    fs::create_symlink(odd, profile);
    CHECK_FALSE(read_profile(profile).generation.number);
  }
}

TEST_CASE("profile: a generation can be deleted where none is current") {
  Folder f;
  f.program("bin/nix-env");
  std::ofstream(f.path("bin/nix-env")) << "#!/bin/sh\nkill -ABRT $$\n"; // as Nix 2.26 does
  belay::PosixProcessRunner processes;
  NixProfiles profiles({f.path("bin/nix-env"), f.path("bin/nix-store")}, processes);
  fs::create_symlink("/nix/store/x", f.path("system-1-link"));
  CHECK_FALSE(profiles.delete_generation(f.path("system"), 1));
  CHECK(profiles.generations(f.path("system")).empty());
  fs::create_symlink("/nix/store/x", f.path("system-1-link"));
  fs::create_symlink("system-1-link", f.path("system"));
  CHECK(profiles.delete_generation(f.path("system"), 1)); // nix-env's to refuse
}

TEST_CASE("profile: generations that cannot be listed are not none") {
  Folder f;
  belay::PosixProcessRunner processes;
  const NixProfiles profiles({"nix-env", "nix-store"}, processes);
  CHECK(profiles.generations(f.path("missing/system")).empty());
  const test::NoDescriptors full;
  CHECK_THROWS_AS(profiles.generations(f.path("system")), belay::Error);
}

TEST_CASE("scripts: a wrapped system is told by where its program really stands") {
  Folder f;
  f.program("toplevel/bin/switch-to-configuration");
  fs::create_directories(f.path("wrapper"));
  fs::create_directory_symlink(f.path("toplevel/bin"), f.path("wrapper/bin"));
  CHECK(activated_by(f.path("wrapper")) == fs::canonical(f.path("toplevel")).string());
  CHECK(activated_by(f.path("missing")).empty());
}
