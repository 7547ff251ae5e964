// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/run/scheduler.h"

#include <deque>
#include <string_view>
#include <unordered_map>
#include <vector>

// The scheduler's inside, private to scheduler*.cpp. Each node is in one phase and, while it waits
// for a slot, in one queue. Queues and counters are all that next() looks at, so a decision costs
// the same with ten nodes and with ten thousand.

namespace belay::run {

/// Where a node is. The order is the order of its life.
enum class Phase {
  waiting_survey,
  surveying,
  waiting_build,
  building,
  waiting_copy,
  copying,
  waiting_activate, ///< copied; under `stop` until all others are, too
  activating,
  held, ///< confirmed, but this run may still take it back
  waiting_rollback,
  rolling_back,
  waiting_finish,
  finishing,
  ended,
};

struct NodeRecord {
  Phase phase = Phase::waiting_survey;
  std::optional<Instant> started, decided;
  bool told_build = false; ///< the Build step ran, so it told the stage's end
  bool told_copy = false;  ///< Copy ran, or a Survey that failed
  bool told_activate = false;
  NodeResult verdict; ///< what node.finished will say
};

/// How long those that can be built wait for one more: what can be is built in one go, but a host
/// that does not answer must not hold up the others for ever.
inline constexpr std::chrono::seconds survey_patience{10};

/// A verdict that says no more than this.
NodeResult verdict_of(NodeIndex node, event::Outcome outcome, std::string_view reason);

struct RunningStep {
  StepKind kind = StepKind::build;
  std::vector<NodeIndex> nodes;
};

/// A kind of step that works on one node: who waits for it and how many may run.
struct Lane {
  StepKind kind;
  int limit;
  int running = 0;
  std::deque<NodeIndex> waiting = {};
  bool free() const { return running < limit && !waiting.empty(); }
};

struct Scheduler::State {
  State(const plan::Plan& the_plan, DraftSink& the_sink);

  // ---- scheduler.cpp: what starts ----
  void admit(Instant now);
  std::optional<Step> next_build(Instant now);
  bool builds_together(Instant now) const;
  std::optional<Step> next_of(Lane& lane, Phase phase, Instant now);
  Step start(StepKind kind, std::vector<NodeIndex> indices, Phase phase, Instant now);
  bool barrier_open() const;
  Lane* lane_of(StepKind kind, NodeIndex index);
  Lane& copy_lane(NodeIndex index);
  void enter(NodeIndex index, Phase phase);

  // ---- scheduler_result.cpp: what a result means ----
  void take(StepKind kind, const NodeResult& result, Instant now);
  bool goes_on(const NodeResult& result, Instant now);
  void surveyed(const NodeResult& result, Instant now);
  void built(const NodeResult& result, Instant now);
  void copied(const NodeResult& result, Instant now);
  void activated(const NodeResult& result, Instant now);
  void rolled_back(const NodeResult& result, Instant now);
  void finish_ended(const NodeResult& result, Instant now);
  void decide(NodeIndex index, NodeResult verdict, Instant now);

  // ---- scheduler_policy.cpp: what it means for the others ----
  void refuse(NodeIndex index, Instant now);
  void take_failure(const NodeResult& result, Instant now);
  void fail_fast(Instant now);
  void settle(Instant now);
  void cancel(Instant now);
  void leave(Instant now);
  std::vector<NodeIndex> take_unbuilt();
  std::vector<NodeIndex> take_uncopied();
  void queue_rollback(NodeIndex index);
  void queue_finish(NodeIndex index);
  void drop_late_finishes(Instant now);

  // ---- scheduler_tell.cpp: what is said ----
  void tell(NodeIndex index, event::Payload payload, event::Level level = event::Level::info,
            std::string message = {});
  void tell_stage(NodeIndex index, const std::string& profile, event::Stage stage,
                  event::Outcome outcome, std::string_view reason, std::string message = {});
  void tell_not_evaluated(const NodeResult& verdict);
  void tell_unreached_stages(NodeIndex index);
  void tell_finish_failed(const NodeResult& result);
  void end(NodeIndex index);
  void end_as(NodeIndex index, event::Outcome outcome, std::string_view reason, Instant now);

  const plan::Plan& plan;
  DraftSink& sink;
  std::vector<NodeRecord> nodes;
  std::vector<NodeIndex> to_build; ///< until Build starts
  std::optional<Instant> build_at; ///< when that waits for no further Survey
  bool building = false;           ///< one Build at a time
  Lane survey, copy, activate, rollback, finish;
  Lane build_there; ///< Copy of nodes whose targets build: it may take long, and not here
  std::unordered_map<StepId, RunningStep> running;
  StepId last_id = 0;
  std::size_t live = 0;        ///< nodes that have not ended
  std::size_t uncopied = 0;    ///< live nodes that still have to be copied to
  std::size_t undecided = 0;   ///< live nodes whose Activate has not ended
  std::vector<NodeIndex> held; ///< in the order of their confirmation
  bool broken = false;         ///< a node failed under `stop`
  bool bad = false;            ///< a node failed in a way that makes the run take others back
  std::optional<Instant> abandon_at;
};

} // namespace belay::run
