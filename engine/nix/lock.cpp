// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/nix/command.h"
#include "engine/nix/local_nix.h"

#include <nlohmann/json.hpp>

// `nix flake metadata` says what a reference leads to. Its `url` is the locked one in every release
// (tried: 2.8); a git tree with uncommitted changes has no `rev` there, and its url names none.

namespace belay::nix {

namespace {

using nlohmann::json;

std::string text_of(const json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

} // namespace

LockedFlake LocalNix::lock(const std::string& flake, const std::vector<std::string>& nix_arguments,
                           const Wait& wait) {
  const std::string what = "locking the flake " + flake;
  auto argv = nix_command("flake");
  argv.emplace_back("metadata");
  argv.insert(argv.end(), nix_arguments.begin(), nix_arguments.end());
  argv.insert(argv.end(), {"--json", "--", flake});
  const auto result = runner_.run(nix_process(std::move(argv)), wait);
  throw_if_stopped(result, what);
  if (!result.succeeded()) {
    throw Error(ErrorKind::evaluation_failed, what + ": " + readable_error(result.err));
  }
  const json metadata = json::parse(result.out, nullptr, false);
  const json locked = metadata.is_object() ? metadata.value("locked", json()) : json();
  LockedFlake found{text_of(metadata, "url"), text_of(locked, "narHash"), false};
  if (found.url.empty() || found.nar_hash.empty()) {
    throw Error(ErrorKind::evaluation_failed, what + ": nix does not say what it is locked to");
  }
  found.locked = !text_of(locked, "rev").empty() || found.url.find("narHash=") != std::string::npos;
  return found;
}

} // namespace belay::nix
