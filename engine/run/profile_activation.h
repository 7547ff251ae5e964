// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/run/follow.h"
#include "engine/run/node_link.h"
#include "engine/run/stage_report.h"

#include <memory>
#include <optional>
#include <string>

// One profile through activate, confirm and verify. The target decides; here it is asked, listened
// to and, over a connection made for the purpose, told that one can still get in. Success is said
// only after the target said "confirmed" and the link was read back; a target that stays away is
// state-unknown, never failed and never fine.

namespace belay::run {

/// How a profile's turn ended.
struct ProfileResult {
  event::Outcome outcome = event::Outcome::success;
  std::string reason;
  std::string message;
  bool touched = false;
  bool confirmed = false;
  bool changed = false;
  event::Rollback rollback = event::Rollback::none;
  std::optional<int> generation_after;
  std::string decides_by;
};

class ProfileActivation {
public:
  ProfileActivation(const Contact& contact, const plan::Node& node, NodeLink& link,
                    const plan::Profile& profile, NodeStages& stages, StepContext& context);

  /// Never throws.
  ProfileResult run();

private:
  using Status = agent::ProfileStatus;

  void see_through();
  bool reach();
  std::optional<Status> activate(); ///< nullopt: refused, nothing was changed
  Status confirm(const Status& waiting);
  std::optional<AgentLink> try_confirm(Instant deadline, bool& decided);
  void verify(const Status& status);
  void settle(const Status& status);
  void settle_rolled_back(const Status& status);
  std::optional<std::string> shut_out();
  std::optional<std::string> try_login(const Wait& wait);
  void fail(event::Stage stage, event::Outcome outcome, std::string_view reason,
            const std::string& message);
  void leave_to_target();
  std::string left_text(const std::optional<Status>& status) const;
  void leave_dry_run();
  bool is_dry() const { return profile_.mode == plan::Mode::dry_activate; }
  void confirmed_unread();
  void unknown(const Error& error);
  Wait patient() const;
  Duration longest_turn() const;

  const Contact& contact_;
  const plan::Node& node_;
  Owner& owner_;
  const plan::Profile& profile_;
  NodeStages& stages_;
  StepContext& context_;
  Follow follow_;
  std::optional<AgentLink> fresh_; ///< the connection that confirmed: verify reads back over it
  bool asked_to_confirm_ = false;  ///< and the answer may not have come
  Instant deadline_{};
  std::optional<int> exit_status_; ///< of the script
  ProfileResult result_;
};

/// Tells the rollback of one profile: stage.finished of `rollback` and, where it is back,
/// node.rolled_back.
void tell_rollback(NodeStages& stages, const plan::Profile& profile,
                   const agent::ProfileStatus& status, event::RollbackTrigger trigger,
                   bool verified);

} // namespace belay::run
