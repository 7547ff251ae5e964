// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/nix/nix_store.h"
#include "engine/run/store_work.h"

// Building on the target: the derivation and what it needs go over the working connection, the
// target's own Nix builds, and nothing comes back. It is the first thing that Copy does, since it
// needs the connection; the closure is there then, and only the agent has to be brought. What was
// built is rooted when the transaction is opened in the same session, like what was copied.

namespace belay::run {

struct TargetBuilder {
  nix::NixStore& store;
  const StoreWork& work;
  const plan::Node& node;
  NodeStages& stages;
  const CancelToken& cancel;
};

/// Builds the profile's derivation and tells the stage `build`. Throws Error{build_failed} with the
/// first line of what went wrong, the rest told as log; Error{invalid_plan} for a profile without a
/// derivation; and what StoreWork throws.
void build_on_target(const TargetBuilder& builder, const plan::Profile& profile,
                     const StoreAccess& access);

/// `max-jobs = 4`, `cores = 0`, `system = x86_64-linux` among the lines that Nix prints of its
/// settings; what is missing is Nix's own default. Where other machines build for the target, it is
/// not known for which systems. Pure.
nix::BuildCapacity capacity_from(const std::string& settings);

} // namespace belay::run
