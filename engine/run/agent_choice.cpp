// SPDX-License-Identifier: Apache-2.0
#include "engine/run/agent_choice.h"

#include "engine/base/text.h"
#include "engine/run/remote_output.h"

#include <algorithm>

namespace belay::run {

namespace {

/// nix-store adds a link as a link, so it is followed first. $1 is the program.
constexpr const char* add_command =
    "sh -c 'PATH=$PATH:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:"
    "$HOME/.nix-profile/bin; file=$(readlink -f \"$1\") && test -x \"$file\" && "
    "exec nix-store --add \"$file\"' sh ";

std::optional<StorePath> brought_by(AgentFinder& finder, const plan::Node& node,
                                    const plan::Login& login, const Wait& wait) {
  for (const auto& profile : node.profiles) {
    if (profile.login == login && !profile.remote_build) {
      if (auto agent = finder.of_closure(profile.path, wait)) {
        return agent;
      }
    }
  }
  return std::nullopt;
}

} // namespace

std::string look_for_agent(AgentFinder& finder, const plan::Node& node,
                           WorkingConnection& connection, const Wait& wait) {
  const auto system = AgentFinder::system_of(*connection.session, wait);
  connection.agent = finder.own(system, wait);
  if (connection.agent) {
    return system;
  }
  connection.foreign = system;
  if (std::none_of(node.profiles.begin(), node.profiles.end(), [&](const plan::Profile& profile) {
        return profile.login == connection.login && finder.may_be_brought(profile, wait);
      })) {
    throw finder.missing(system);
  }
  return system;
}

void choose_agent(AgentFinder& finder, const plan::Node& node, WorkingConnection& connection,
                  const Wait& wait) {
  if (connection.agent) {
    return;
  }
  connection.agent = brought_by(finder, node, connection.login, wait);
  const bool may_come =
      std::any_of(node.profiles.begin(), node.profiles.end(), [&](const plan::Profile& profile) {
        return profile.remote_build && profile.login == connection.login;
      });
  if (!connection.agent && !may_come) {
    throw finder.missing(connection.foreign);
  }
}

void take_built_agent(const plan::Profile& profile, WorkingConnection& connection,
                      const Wait& wait) {
  const auto program = profile.path.string() + "/" + std::string(closure_agent);
  const auto said = output_of(*connection.session, add_command + shell_quote(program), wait);
  connection.agent = said.end.succeeded() ? StorePath::parse(last_line_of(said)) : std::nullopt;
  connection.agent_there = connection.agent.has_value();
}

} // namespace belay::run
