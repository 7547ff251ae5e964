// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/plan.h"
#include "engine/run/node_link.h"
#include "engine/run/stage_report.h"
#include "engine/run/store_door.h"

#include <functional>

// Work at a target's store: a Nix process here, joined to the target's nix-daemon by a tunnel over
// the working connection. Where the connection breaks off under it, or another copy came in between,
// it is made anew and the work is done again, once: what went over stays. Nix says no more than "unexpected end-of-file" for a
// missing command or a refusal: the remote end's own words come first.

namespace belay::run {

/// Whose store is worked on, and how it is reached.
struct StoreAccess {
  WorkingConnection& connection;
  const plan::Profile* profile = nullptr; ///< for which it is, where it is for one
  StoreDoor* door = nullptr;              ///< null: the login's own access
};

/// Makes the working connection of a login, anew where there was one.
void connect_to_work(const Contact& contact, const plan::Node& node, WorkingConnection& connection,
                     const ssh::RetrySink& on_retry, const CancelToken& cancel);

/// As events of the stage that runs.
ssh::RetrySink retries_told(NodeStages& stages);

class StoreWork {
public:
  /// All must outlive it.
  StoreWork(const Contact& contact, const plan::Node& node, NodeStages& stages,
            const CancelToken& cancel)
      : contact_(contact), node_(node), stages_(stages), cancel_(cancel) {}

  /// What is done through the tunnel; returns the Nix process that ended it, "nix copy". May throw
  /// Error{system} where Nix could not even ask.
  using Work = std::function<ProcessResult(ssh::StoreTunnel& tunnel)>;

  /// Returns how many attempts it took. Throws Error{copy_failed | nix_missing | unreachable} with
  /// what the target said, Error{cancelled}, Error{deadline_exceeded}.
  int run(const StoreAccess& access, const Work& work) const;

private:
  struct Failure {
    bool retry = false;
    Error error;
  };
  std::optional<Failure> attempt(const StoreAccess& access, const Work& work) const;
  static Failure explain(const std::string& nix, const std::optional<ssh::ChannelEnd>& end);

  const Contact& contact_;
  const plan::Node& node_;
  NodeStages& stages_;
  const CancelToken& cancel_;
};

} // namespace belay::run
