// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/canary_decisions.h"

#include "engine/base/store_path.h"

namespace belay::agent {

std::optional<Canary> CanaryDecisions::canary(std::size_t profile) const {
  const auto& wanted = record_.profiles.at(profile).wanted;
  const auto closure = StorePath::parse(wanted.closure);
  return wanted.canary_folder && closure ? std::optional(Canary(*wanted.canary_folder, *closure))
                                         : std::nullopt;
}

std::optional<ShownCanary> CanaryDecisions::shown(std::size_t profile) const {
  const auto made = canary(profile);
  return made ? ShownCanary::find(*made, files_.id(), known(profile)) : std::nullopt;
}

void CanaryDecisions::offer(std::size_t profile) {
  decisions_.offer(profile);
  if (const auto made = canary(profile)) {
    made->show(files_.id(), known(profile));
  }
}

std::optional<Verdict> CanaryDecisions::decide(std::size_t profile, Verdict wanted) {
  const auto canary = shown(profile);
  if (canary && wanted == Verdict::expired && !canary->take()) {
    wanted = Verdict::confirmed;
  }
  const auto verdict = decisions_.decide(profile, wanted);
  if (canary && verdict) {
    canary->drop();
  }
  return verdict;
}

std::optional<Verdict> CanaryDecisions::read(std::size_t profile) const {
  const auto verdict = decisions_.read(profile);
  const auto canary = shown(profile);
  if (canary && verdict) { // decided by somebody who died before he had cleared up
    canary->drop();
  } else if (canary && canary->is_removed()) {
    return decisions_.decide(profile, Verdict::confirmed);
  }
  return verdict;
}

} // namespace belay::agent
