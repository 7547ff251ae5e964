// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/prepare.h"

#include "engine/agent/earlier.h"
#include "engine/agent/nix_tools.h"
#include "engine/agent/opening.h"
#include "engine/agent/status.h"
#include "engine/base/store_path.h"

#include <algorithm>
#include <filesystem>
#include <set>

namespace belay::agent {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t most_profiles = 64;

std::optional<Refusal> check(const PrepareRequest& request) {
  const auto refuse = [](std::string message) {
    return Refusal{"protocol", std::move(message), {}};
  };
  if (request.profiles.empty() || request.profiles.size() > most_profiles) {
    return refuse("a transaction has 1 to " + std::to_string(most_profiles) + " profiles");
  }
  std::set<std::string> names;
  for (const auto& profile : request.profiles) {
    if (!names.insert(profile.name).second) {
      return refuse("profile \"" + profile.name + "\" is there twice");
    }
    if (profile.profile_path ? !fs::path(*profile.profile_path).is_absolute()
                             : !is_file_name(profile.name)) {
      return refuse("profile \"" + profile.name + "\" has no path that can be used");
    }
    if (!StorePath::parse(profile.closure)) {
      return refuse("\"" + profile.closure + "\" is not a store path");
    }
  }
  if (!request.agent.empty() && !StorePath::parse(request.agent)) {
    return refuse("\"" + request.agent + "\" is not a store path");
  }
  return std::nullopt;
}

bool is_dry(const PrepareRequest& request) {
  return std::all_of(request.profiles.begin(), request.profiles.end(),
                     [](const auto& profile) { return profile.mode == Mode::dry; });
}

} // namespace

std::variant<TransactionStatus, Refusal> prepare(const PrepareRequest& request, const Host& host) {
  if (auto refusal = check(request)) {
    return *refusal;
  }
  const auto& environment = host.surroundings.environment;
  auto tools = find_nix_tools(path_with_nix(value_of(environment, "PATH"),
                                            nix_folders(value_of(environment, "HOME"), host.user)));
  if (!tools) {
    return Refusal{"nix-missing", "there is no nix-env and nix-store for " + host.user, {}};
  }
  secure_state_directory(host.state_directory);
  auto turn = take_turn(host, is_dry(request) ? Orphans::leave : Orphans::end);
  if (auto* refusal = std::get_if<Refusal>(&turn)) {
    return *refusal;
  }
  if (auto refusal = deployed_by_twin(request, host)) {
    return *refusal;
  }
  sweep(host);
  Opening opening(request, host, *tools);
  if (auto refusal = opening.open()) {
    return *refusal;
  }
  return status_with_earlier(*take_snapshot(opening.files(), host.clock), host);
}

} // namespace belay::agent
