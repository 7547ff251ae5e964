// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/clock.h"
#include "engine/event/secret_mask.h"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// A fact that happened, as data. Everything that belay says anywhere - console, JUnit, webhook,
// exit code - is made from these and from nothing else, so what is not in an event is not known.
// The set of payloads is closed: whoever handles events names every one of them, and a new one does
// not compile until each reporter has decided about it. The JSON form (event_json.h) is the public
// contract; field names there are the member names here.

namespace belay::event {

/// How something ended. Closed; docs/events.md gives the meaning of each.
enum class Outcome { success, failure, error, cancelled, skipped };
enum class Level { debug, info, warn, error };
/// What a node goes through, in order; `evaluate`, `check` and `build` also appear without a node,
/// `check` never with one.
enum class Stage { evaluate, check, build, sign, copy, lock, activate, confirm, verify, rollback };
/// What became of a rollback.
enum class Rollback { none, succeeded, failed, unknown };
/// What the run does with closures: activates them, tries their scripts without any effect, or has
/// them booted next.
enum class Mode { activate, dry_activate, boot };
/// Why a node was rolled back.
enum class RollbackTrigger { confirm_timeout, activation, profile_failed, run_failed };

std::string_view name_of(Outcome outcome);
std::string_view name_of(Level level);
std::string_view name_of(Stage stage);
std::string_view name_of(Mode mode);
std::string_view name_of(Rollback rollback);
std::string_view name_of(RollbackTrigger trigger);
std::optional<Outcome> outcome_from(std::string_view name);
std::optional<Level> level_from(std::string_view name);
std::optional<Stage> stage_from(std::string_view name);
std::optional<Mode> mode_from(std::string_view name);
std::optional<Rollback> rollback_from(std::string_view name);
std::optional<RollbackTrigger> rollback_trigger_from(std::string_view name);

/// `reason` values are open, low-cardinality, kebab-case: reason_of(ErrorKind) or one of these.
namespace reasons {
inline constexpr std::string_view check_failed = "check-failed";
inline constexpr std::string_view activation_failed = "activation-failed";
inline constexpr std::string_view activation_timeout = "activation-timeout";
inline constexpr std::string_view confirm_timeout = "confirm-timeout";
inline constexpr std::string_view rolled_back = "rolled-back"; ///< revoked: another one failed
inline constexpr std::string_view rollback_failed = "rollback-failed";
inline constexpr std::string_view state_unknown = "state-unknown";
inline constexpr std::string_view left_to_target = "left-to-target";
inline constexpr std::string_view boot_default_failed = "boot-default-failed";
inline constexpr std::string_view verify_failed = "verify-failed";
inline constexpr std::string_view superseded = "superseded";
inline constexpr std::string_view not_reached =
    "not-reached";                                         ///< skipped: something before it failed
inline constexpr std::string_view fail_fast = "fail-fast"; ///< skipped: onFailure: stop
inline constexpr std::string_view skipped_by_plan = "skipped-by-plan";
} // namespace reasons

/// Who asked for an end before the end. Open.
namespace cancel_sources {
inline constexpr const char* signal = "signal";
inline constexpr const char* timeout = "timeout"; ///< nobody: the run's deadline has passed
inline constexpr const char* user = "user";       ///< who was asked first
} // namespace cancel_sources

// ---- payloads, in the order in which a run has them ----

struct RunStarted {
  struct Trigger {
    std::string kind;                                  ///< "github", "gitlab", "ci", "manual"
    std::string actor, url, provider, run_id, attempt; ///< empty = not known
  };
  std::string tool_name, tool_version;
  std::string nix_version; ///< empty = not known yet
  std::string command;     ///< the verb: "run", "check"
  std::string plan_path;   ///< empty = no plan file
  std::vector<std::string> flakes;
  std::string rev; ///< git revision of the flake, empty = not known
  bool dirty = false;
  std::string environment; ///< empty = none
  Trigger trigger;
  std::string host;
  std::int64_t pid = 0;
  std::map<std::string, std::string> options; ///< the flags that were given, secrets masked
};

struct PlanResolved {
  struct Profile {
    std::string name;
    std::vector<Stage>
        stages;       ///< each of these gets exactly one stage.finished, or the node is skipped
    std::string path; ///< store path; empty = it could not be evaluated
    bool remote_build = false; ///< its target builds it
  };
  struct Node {
    std::string id;
    std::string host;
    std::string target; ///< FLAKE#NODE
    std::vector<Profile> profiles;
  };
  std::vector<Node> nodes;
  int parallel = 0;
  Mode mode = Mode::activate;
  std::optional<int> part; ///< 1-based, where the nodes did not fit into one line (Emitter)
  bool last = true;
};

/// A problem with the plan file, the flake's output or the run's set-up.
struct DiagnosticFound {
  enum class Severity { error, warning };
  Severity severity = Severity::error;
  std::string code; ///< kebab-case: "unknown-key"
  std::string file; ///< empty = not in a file
  int line = 0;     ///< 1-based; 0 = none
  int column = 0;
  std::string hint; ///< what to do; may be empty
};

std::string_view name_of(DiagnosticFound::Severity severity);

struct EvaluateFinished {
  Outcome outcome = Outcome::success;
  Duration duration{};
  std::string error; ///< empty on success
};

struct CheckFinished { ///< the checks of one flake
  std::string flake;
  Outcome outcome = Outcome::success;
  Duration duration{};
  std::vector<std::string> failed; ///< "checks.x86_64-linux.deploy-schema", where it is known
  std::string error;               ///< what they said, a paragraph each; empty on success
};

struct BuildFinished { ///< one derivation that a node needs
  std::string derivation;
  std::vector<std::string> outputs;
  Outcome outcome = Outcome::success;
  bool cached = false; ///< was valid before
  Duration duration{};
  std::string reason;
  std::string built_on; ///< id of the node whose target built it; empty = the runner did
};

struct NodeQueued {};

struct NodeStarted {
  std::string host;
};

struct StageStarted {};

struct StageProgress {     ///< copy; at most one a second and node, none where nothing moved
  std::uint64_t bytes = 0; ///< over the wire so far
  std::optional<std::uint64_t> bytes_expected; ///< what the target misses, as Nix archives
};

/// Whole percent, at most 100: what goes over the wire is a little more than the archives.
std::optional<int> percent_of(const StageProgress& progress);

struct StageFinished {
  Outcome outcome = Outcome::success;
  std::string reason; ///< empty on success
  Duration duration{};
  std::optional<bool> changed; ///< stages that can tell: copy, activate
  int attempts = 1;
  std::optional<int> exit_status;             ///< of the script, where one ran
  std::optional<std::uint64_t> bytes;         ///< copy: what went over the wire
  std::optional<int> generation_before;       ///< lock: recorded
  std::optional<int> generation_after;        ///< activate, verify
  std::map<std::string, std::string> details; ///< "confirm_path", "reboot_protection", "drift",
                                              ///< "detach", "built_on", "store_access"
};

struct StageRetrying {
  int attempt = 0; ///< the one that failed
  int max = 0;
  Duration delay{};
  std::string reason;
};

/// Another deploy holds the node: from here on this one waits for it. Told again where the holder
/// changes, or is not heard of any more.
struct LockWaiting {
  std::string holder_run; ///< empty = not known
  std::string holder_url; ///< its CI job; may be empty
  std::string since;      ///< RFC 3339; empty = not known
  bool attended = true;   ///< false: nothing was heard of its run, so it is waited for until the
                          ///< target has ended it by itself
  Duration longest{};     ///< from now
};

/// What a deploy before this one had left open on a profile, and how the target ended it.
struct EarlierResolved {
  std::string earlier_run;
  std::string transaction;
  std::string state;  ///< "rolled-back", "confirmed", …: an agent's state
  std::string reason; ///< "interrupted"; empty = none
};

struct NodeRolledBack {        ///< with a profile in the envelope
  std::optional<int> from, to; ///< generations; `to` is nullopt where there was none
  RollbackTrigger trigger = RollbackTrigger::activation;
  bool verified = false; ///< the link was read back and is the recorded path
};

struct NodeFinished {
  Outcome outcome = Outcome::success;
  std::string reason;
  bool changed = false;
  Rollback rollback = Rollback::none;
  std::optional<int> generation_after; ///< of the last profile that was worked on; null = none
  Duration duration{};
  std::string decides_by; ///< RFC 3339; left-to-target: when the target has decided at the latest
};

struct LogLine {
  std::string stream; ///< "nix", "build", "activation", "ssh", "agent"
  std::string text;
  std::optional<int> part; ///< 1-based, where a long text was split
  bool last = true;
};

struct Heartbeat {
  std::vector<std::string> running; ///< node ids
};

struct CancelRequested {
  std::string source; ///< one of cancel_sources
  std::string signal; ///< "SIGTERM"
  std::string policy; ///< "grace 6 s"
};

struct WebhookDelivered {
  std::string endpoint; ///< scheme and host only: the path may be a secret
  std::string id;
  int attempts = 1;
  std::optional<int> status;
};

struct WebhookFailed {
  std::string endpoint;
  std::string id;
  int attempts = 1;
  std::optional<int> status;
  std::string error;
};

struct RunFinished {
  struct Counts {
    int success = 0, failure = 0, error = 0, cancelled = 0, skipped = 0, changed = 0,
        rolled_back = 0;
  };
  struct Node {
    std::string id;
    Outcome outcome = Outcome::success;
    std::string reason;
  };
  Outcome outcome = Outcome::success;
  int exit_code = 0;
  std::string reason; ///< the name of the exit code's class: "rolled-back"
  Counts counts;
  Duration duration{};
  std::map<std::string, std::string> artifacts; ///< "junit", "events" -> path
  std::vector<Node> nodes;
  int nodes_omitted = 0; ///< nodes that did not fit into the line; successful ones go first
};

using Payload =
    std::variant<RunStarted, PlanResolved, DiagnosticFound, EvaluateFinished, CheckFinished,
                 BuildFinished, NodeQueued, NodeStarted, StageStarted, StageProgress, StageFinished,
                 StageRetrying, LockWaiting, EarlierResolved, NodeRolledBack, NodeFinished, LogLine,
                 Heartbeat, CancelRequested, WebhookDelivered, WebhookFailed, RunFinished>;

/// "run.started", "stage.finished", … : the `type` of a payload.
std::string_view type_of(const Payload& payload);
/// All of them, in the order of Payload.
std::span<const std::string_view> event_types();

/// What an event is about; empty = not about one.
struct Subject {
  std::string node;
  std::string profile;
  std::optional<Stage> stage;
  int attempt = 0; ///< 0 = not said
};

/// An event before it has its number and time: what a worker hands to the loop. `message` may be
/// empty; then `describe` makes it.
struct Draft {
  Payload payload;
  Subject subject;
  Level level = Level::info;
  std::string message;
};

struct Event {
  std::uint64_t sequence = 0; ///< from 1, without a gap
  WallTime time{};
  std::string run; ///< UUIDv7
  Level level = Level::info;
  std::string message; ///< one line, never empty
  Subject subject;
  Payload payload;
};

/// The one line that says a payload to a person.
std::string describe(const Payload& payload, const Subject& subject);

/// Who is told of events. Called by one thread, in order.
class Sink {
public:
  virtual ~Sink() = default;
  virtual void on_event(const Event& event) = 0;
};

/// Gives drafts their number, time and run id and hands them to a sink. It is the one door that
/// every event passes, so it is here that text is cleaned, secrets are masked and what is too long
/// for a line (log text, the nodes of a large plan) is split. One thread only.
class Emitter {
public:
  Emitter(std::string run, const Clock& clock, Sink& sink, SecretMask mask = {});
  void emit(Draft draft);
  const std::string& run() const { return run_; }
  /// More to hide, for secrets that are only known after the run began.
  void add_secret(std::string_view secret) { mask_.add(secret); }

private:
  void send(Draft draft);

  std::string run_;
  const Clock& clock_;
  Sink& sink_;
  SecretMask mask_;
  std::uint64_t sequence_ = 0;
};

} // namespace belay::event
