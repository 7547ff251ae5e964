// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/nix/private_nix.h"

#include "engine/base/text.h"
#include "tests/catch.h"

#include <cstdlib>
#include <filesystem>

namespace belay::nix {

namespace {

constexpr std::string_view offline = R"(experimental-features = nix-command flakes
sandbox = false
substituters =
build-users-group =
)";

constexpr std::string_view flake_head = R"nix({
  outputs = { self }:
    let
      mk = name: script: more: derivation ({
        inherit name;
        system = "SYSTEM";
        builder = "/bin/sh";
        args = [ "-c" script ];
        PATH = "/usr/bin:/bin";
      } // more);
    in
)nix";

std::string this_system(PosixProcessRunner& runner) {
  ProcessSpec spec;
  spec.argv = {"uname", "-m"};
  const auto result = runner.run(spec, soon());
  return std::string(trim(result.out)) + "-linux";
}

} // namespace

Wait soon() {
  return Wait::at_most(std::chrono::minutes(2));
}

StorePath store_path(const std::string& text) {
  const auto path = StorePath::parse(text);
  INFO("store path: " << text);
  REQUIRE(path);
  return *path;
}

PrivateNix::PrivateNix()
    : folder_((std::filesystem::temp_directory_path() / "belay-nix-test.").string()) {
  const auto at = [this](const char* name) { return (folder() / name).string(); };
  set("NIX_STORE_DIR", at("store"));
  set("NIX_STATE_DIR", at("state"));
  set("NIX_LOG_DIR", at("log"));
  set("NIX_LOCALSTATE_DIR", at("localstate"));
  set("NIX_CONF_DIR", at("etc"));
  set("NIX_CONFIG", std::string(offline));
  set("NIX_REMOTE", "local");
  set("NIX_USER_CONF_FILES", at("user.conf"));
  set("HOME", at("home"));
  set("XDG_CACHE_HOME", at("cache"));
  std::filesystem::create_directories(folder() / "etc");
  std::filesystem::create_directories(folder() / "home");
}

PrivateNix::~PrivateNix() {
  for (const auto& [name, value] : before_) {
    if (value) {
      setenv(name.c_str(), value->c_str(), 1);
    } else {
      unsetenv(name.c_str());
    }
  }
  // Store paths are read-only, which would keep someone other than root from removing them.
  std::error_code ignored;
  for (std::filesystem::recursive_directory_iterator it(folder(), ignored), end; it != end;
       it.increment(ignored)) {
    if (it->is_directory(ignored) && !it->is_symlink(ignored)) {
      std::filesystem::permissions(it->path(), std::filesystem::perms::owner_all,
                                   std::filesystem::perm_options::add, ignored);
    }
  }
}

void PrivateNix::set(const char* name, const std::string& value) {
  const char* old = std::getenv(name);
  before_.emplace_back(name, old == nullptr ? std::nullopt : std::optional<std::string>(old));
  setenv(name, value.c_str(), 1);
}

std::string PrivateNix::flake(const std::string& outputs) {
  std::string head(flake_head);
  constexpr std::string_view placeholder = "SYSTEM";
  head.replace(head.find(placeholder), placeholder.size(), this_system(runner_));
  const auto path = folder() / ("flake-" + std::to_string(flakes_++));
  replace_file(path / "flake.nix", head + outputs + "\n;}\n");
  return path.string();
}

std::string PrivateNix::run(std::vector<std::string> argv, const std::string& input) {
  ProcessSpec spec;
  spec.argv = std::move(argv);
  spec.input = input;
  const auto result = runner_.run(spec, soon());
  INFO(spec.argv.front() << " " << result.describe() << ": " << result.err);
  REQUIRE(result.succeeded());
  return std::string(trim(result.out));
}

void PrivateNix::write(const std::string& name, const std::string& text) {
  replace_file(folder() / name, text);
}

void PrivateNix::system_configuration(const std::string& text) {
  write("etc/nix.conf", text);
}

void PrivateNix::user_configuration(const std::string& text) {
  write("user.conf", text);
}

} // namespace belay::nix
