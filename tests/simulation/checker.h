// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/event.h"
#include "engine/plan/plan.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Reads a run's events and nothing else, knows the policy that the user asked for, and says what
// was not right. It knows nothing of the scheduler: what a node's verdict must be it derives from
// how the node's stages ended.

namespace belay::simulation {

/// A kind of step as far as events show it.
/// `build_there`: Copy of a node whose target builds. `survey`: one that went badly; of others
/// nothing is told.
enum class Work { build, copy, activate, rollback, build_there, survey };
std::string_view name_of(Work work);

struct StageRecord {
  bool started = false;
  std::optional<event::StageFinished> ended;
};

struct NodeRecord {
  std::map<std::pair<std::string, event::Stage>, StageRecord> stages; ///< as announced
  std::set<std::string> remote_builds;                                ///< profiles, as announced
  std::size_t profiles = 0;  ///< as announced
  std::size_t revocable = 0; ///< profiles with autoRollback
  bool skip = false;
  bool turned_down = false; ///< Copy was ended before anything was built
  int queued = 0, started = 0, finish_steps = 0;
  std::optional<Work> at;          ///< the step that is at work on it
  std::optional<WallTime> failed;  ///< a stage of it ended badly
  std::size_t activation_rank = 0; ///< 1 for the first activation that ended well, 2, …
  std::size_t rollback_stages = 0; ///< of the run's own Rollback that have ended
  std::optional<event::StageFinished> rollback_end; ///< the worst of them
  bool rolled_back_itself = false;                  ///< node.rolled_back within Activate
  std::optional<event::NodeFinished> finished;
};

/// Ends a run that stops at failures.
inline bool is_bad(event::Outcome outcome) {
  return outcome != event::Outcome::success && outcome != event::Outcome::skipped;
}

class Checker final : public event::Sink {
public:
  /// `deadline`: when the run's time is up.
  explicit Checker(const plan::Plan& plan, std::optional<WallTime> deadline = {});

  void on_event(const event::Event& event) override;
  /// After the last event. `left`: a second signal ended the run in the middle.
  void close(bool left);
  const std::vector<std::string>& violations() const { return violations_; }

private:
  void fail(const std::string& what);
  void require(bool holds, std::string_view what);

  // ---- checker.cpp: one event after the other ----
  void take(const event::CancelRequested& cancel);
  void take(const event::PlanResolved& plan);
  void take_stage_started();
  bool turned_down_now(const NodeRecord& node) const;
  void take_stage_finished(const event::StageFinished& ended);
  void take_rollback_ended(NodeRecord& node, const event::StageFinished& ended);
  void take_finish_step();
  void take(const event::NodeFinished& finished);
  void take_work_ended(NodeRecord& node, Work work);

  // ---- checker_rules.cpp: what must hold ----
  void check_start(NodeRecord& node, Work work);
  void check_built(const NodeRecord& node, const std::string& profile);
  void check_activation(const NodeRecord& node);
  void check_rollback(const NodeRecord& node);
  void check_finish_step(const NodeRecord& node);
  void check_verdict(const NodeRecord& node, const event::NodeFinished& finished);
  void check_skipped(const NodeRecord& node, const event::NodeFinished& finished);
  void check_node_at_end(const NodeRecord& node);
  void check_policy_at_end();
  void check_exit_code_when_late(int code, int cancelled, bool rolled_back, bool well);
  void check_run_finished(const event::RunFinished& finished);
  bool copied(const NodeRecord& node) const;
  bool activated(const NodeRecord& node) const;
  bool failed_before(WallTime time) const;
  bool judged_bad() const;
  bool is_late() const;

  const plan::Policy policy_;
  const std::optional<WallTime> deadline_;
  std::map<std::string, NodeRecord> nodes_;
  std::map<Work, int> limits_, busy_;
  std::size_t activations_ = 0, last_rollback_rank_ = 0;
  std::optional<event::CancelRequested> cancel_;
  WallTime cancelled_at_{};
  std::optional<event::RunFinished> run_finished_;
  std::uint64_t sequence_ = 0;
  const event::Event* event_ = nullptr; ///< the one that is looked at
  std::vector<std::string> violations_;
};

} // namespace belay::simulation
