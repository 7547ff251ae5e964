// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/event.h"

#include <cstddef>
#include <functional>
#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

// RunState = fold(events). JUnit, the console's summary and the exit code are pure functions of it,
// which is why `belay report` can make them again from a saved events.jsonl. It keeps what those
// need and no more: log text is capped per node.

namespace belay::event {

/// Bytes of log kept for each node and stage, the last ones.
inline constexpr std::size_t log_tail_limit = 64 * 1024;
/// The same of a dry run's script that went well: what it printed is the result.
inline constexpr std::size_t dry_log_tail_limit = 16 * 1024;
/// The same once any other stage has succeeded: thousands of good nodes must not fill the memory.
inline constexpr std::size_t good_log_tail_limit = 2 * 1024;

struct RetryState {
  StageRetrying retry;
  std::string message;
};

struct StageState {
  Stage stage = Stage::build;
  bool started = false;
  std::optional<WallTime> started_at;
  std::optional<StageProgress> progress; ///< the last
  std::optional<StageFinished> finished;
  std::string message; ///< of stage.finished: says what went wrong
  std::vector<RetryState> retries;
  std::string log; ///< its last log_tail_limit bytes
};

struct ProfileState {
  std::string name;
  std::string path;
  bool remote_build = false;
  Mode mode = Mode::activate;
  std::vector<StageState> stages; ///< as planned, then those that came unplanned (rollback)
  std::optional<NodeRolledBack> rolled_back;
  std::optional<EarlierResolved> earlier; ///< what a deploy before this one had left open
};

struct NodeState {
  std::string id;
  std::string host;
  std::string target;
  std::optional<WallTime> started_at;
  std::vector<ProfileState> profiles;
  std::optional<NodeFinished> finished;
  std::string message; ///< of node.finished
  std::string log;     ///< what came without a stage; its last bytes
};

struct DiagnosticState {
  DiagnosticFound diagnostic;
  std::string message;
};

struct CheckState { ///< of one flake
  CheckFinished finished;
  std::string log; ///< its last bytes
};

/// So that a name is looked up without a copy of it.
struct NameHash : std::hash<std::string_view> {
  using is_transparent = void;
};

struct RunState {
  std::string run;
  std::optional<RunStarted> started;
  WallTime started_at{}, last_event_at{};
  std::vector<DiagnosticState> diagnostics;
  std::optional<EvaluateFinished> evaluate;
  std::string evaluate_message;
  std::vector<CheckState> checks;      ///< as they ended
  bool checking = false;               ///< a check began and did not end
  std::string check_log;               ///< of the one that goes on; its last bytes
  std::string evaluate_log, build_log; ///< tails of what has no node
  int built = 0, cached = 0;           ///< derivations, by the runner
  std::vector<NodeState> nodes;        ///< in the order of plan.resolved
  /// Of a node in `nodes`, so that thousands are not searched for each event. Only a hint.
  std::unordered_map<std::string, std::size_t, NameHash, std::equal_to<>> positions;
  std::optional<PlanResolved> plan;
  std::optional<CancelRequested> cancel; ///< the first; a signal before a deadline
  int webhook_failures = 0;
  std::optional<RunFinished> finished;

  /// No run.finished yet: this is a look at a run that still goes on, or at one that was killed.
  bool is_open() const { return !finished; }
  /// Nothing is changed anywhere by this run.
  bool is_dry() const { return plan && plan->mode == Mode::dry_activate; }

  NodeState* find(std::string_view node);
  const NodeState* find(std::string_view node) const;
};

/// Takes one more event into the state. Never throws for an event out of order: what does not fit
/// (a node that was not announced) is added as it comes.
void fold(RunState& state, const Event& event);

/// The summary of what has happened so far.
struct Verdict {
  Outcome outcome = Outcome::success;
  int exit_code = 0;
  std::string reason;
  RunFinished::Counts counts;
  std::vector<RunFinished::Node> nodes;
};

/// Reads a saved event stream and hands each event to `sink`, as the run did. Lines of unknown
/// types are left out; a last line that was torn when its writer was killed ends the stream. Throws
/// Error{protocol} with the line's number for what is no event, or of another major version, and
/// Error{usage} where there is no event at all.
void replay_events(std::istream& input, Sink& sink);

/// The fold of a saved event stream; throws as replay_events.
RunState load_events(std::istream& input);

/// The verdict as a pure function of the state (judge.cpp). A node that was announced and never
/// finished counts as an error of reason state-unknown: silence is never green.
Verdict judge(const RunState& state);

} // namespace belay::event
