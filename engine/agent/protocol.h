// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/clock.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// What runner and agent say to each other over `belay-agent serve`'s stdin and stdout: one JSON
// object a line. The agent speaks first, with Hello; nothing is written to it before. Then
// requests, each with a number, each answered once by a Reply with the same number, in order.
// Between replies the agent tells, unasked, of state changes, of the script's output and, every 2
// s, that it is alive.
//
// One transaction is one deploy of one node by one profile owner: all of the node's profiles that
// belong to that user. `prepare` opens it: takes the lock, records what there is, roots everything,
// and changes nothing. `activate` starts the work for one profile and is answered at once: how it
// goes is told by StatusChanged. `confirm` is the one race of the whole program: the reply says who
// won. `serve` may die at any byte; another one, over another connection, can take up a transaction
// by its id.
//
// A connection alone keeps nothing: whoever waits with an open transaction (for other nodes, say)
// asks `state` well within idle_limit. StatusChanged tells what a look every 20 ms sees, so a state
// that passes quickly may be left out; the output that led to a state is told before it. `revoke`
// is answered at once too; a final state told before its rolling_back is an older one.

namespace belay::agent {

/// Bumped when an old agent could misunderstand. A mismatch ends the conversation before any
/// change.
inline constexpr int protocol_version = 1;
/// Between two heartbeats of `serve`.
inline constexpr std::chrono::seconds heartbeat_interval{2};
/// The longest line either side accepts, and the most shell noise before Hello.
inline constexpr std::size_t line_limit = 64 * 1024;
/// Without a request for this long, a keeper whose profiles are decided ends; what is confirmed
/// stays.
inline constexpr std::chrono::seconds idle_limit{60};
/// Without a request for this long, nobody seems to look after a transaction any more: a runner
/// asks every 20 s at least.
inline constexpr std::chrono::seconds attended_limit{30};
/// How long a script that met another activation's lock is tried again, on the way back and where
/// the new generation becomes the boot default.
inline constexpr std::chrono::seconds foreign_lock_patience{60};
/// From the end of a script's time until it counts as one that cannot be stopped: TERM, then KILL.
inline constexpr std::chrono::seconds script_stop_limit{20};

/// The first line: {"belay-agent":1, …}
struct Hello {
  int protocol = protocol_version;
  std::string version; ///< of the agent: "0.1.0"
  std::string system;  ///< "x86_64-linux"
  std::string user;    ///< who it runs as, by `id -un`
  std::int64_t uid = 0;
  std::string detach; ///< how keep will outlive the session: "systemd", "systemd-user", "session"
  /// Which state directory this agent works in: two of a run that say the same share its one
  /// transaction. Empty = not known.
  std::string state_id;
};

// ---- requests ----

/// What is done with a closure. An agent that heeds it says so in the details of the reply to
/// prepare; one that does not say so must not be asked to activate.
enum class Mode {
  activate,
  dry,  ///< its script says what it would do; no profile is set, and nothing is ever rolled back
  boot, ///< the profile is set and its script makes it what the machine boots next; what runs runs
};
std::string_view name_of(Mode mode);
std::optional<Mode> mode_from(std::string_view name);

struct PrepareRequest {
  struct Profile {
    std::string name;
    std::optional<std::string> profile_path; ///< explicit; else the agent's rule
    std::string closure;                     ///< store path
    bool auto_rollback = true;
    bool magic_rollback = true;
    std::chrono::seconds confirm_timeout{30};
    std::chrono::seconds activation_timeout{240};
    bool boot_after_confirm = false; ///< try it first, make it the boot default once confirmed
    Mode mode = Mode::activate;
    /// For deploy-rs: where the file appears whose removal confirms (canary.h).
    std::optional<std::string> canary_folder;
  };
  std::string run;        ///< id of the run, kept as the holder's name
  std::string node;       ///< of the run's plan, kept as well: two may be one machine
  std::string holder_url; ///< CI job, may be empty
  std::string agent;      ///< store path of this agent, to be rooted; empty = not in the store
  std::vector<Profile> profiles;
};
struct ActivateRequest {
  std::string transaction, profile;
};
struct ConfirmRequest {
  std::string transaction, profile;
};
struct StateRequest {
  std::string transaction;
};
struct RevokeRequest {
  std::string transaction, profile;
};
struct AbandonRequest {
  std::string transaction;
};
struct FinishRequest {
  std::string transaction;
};

/// For the log of a deploy, part by part. An agent that keeps none refuses it as unknown.
struct LogRequest {
  std::string transaction;
  std::int64_t offset = 0; ///< in bytes
};

using RequestBody = std::variant<PrepareRequest, ActivateRequest, ConfirmRequest, StateRequest,
                                 RevokeRequest, AbandonRequest, FinishRequest, LogRequest>;
struct Request {
  std::int64_t id = 0;
  RequestBody body;
};

// ---- replies ----

/// Where a profile is in its transaction.
enum class State {
  prepared,             ///< recorded and rooted, nothing changed
  switched,             ///< the profile link is the new closure
  activated,            ///< the script ended well
  awaiting_confirm,     ///< the confirm deadline runs
  setting_boot_default, ///< confirmed in time; becoming what the machine boots (boot_after_confirm)
  confirmed,            ///< end, revocable until finish
  dry_run,              ///< end of a dry run that went well: nothing was changed
  failed,               ///< end: activation failed and autoRollback is off: left as it is
  rolling_back,
  rolled_back,     ///< end: the recorded generation is back, read back and re-activated
  rollback_failed, ///< end: a person is needed
  superseded,      ///< end of a revoke: someone else set the profile meanwhile; nothing touched
};
std::string_view name_of(State state);
std::optional<State> state_from(std::string_view name);
/// No further change will come by itself.
bool is_final(State state);

/// A profile link as read from the disk.
struct Generation {
  std::optional<int> number; ///< nullopt: the link is not of the form NAME-N-link
  std::string path;          ///< realpath; empty = there is no profile
};

struct ProfileStatus {
  std::string name;
  std::string profile_path; ///< as decided on the target
  State state = State::prepared;
  std::string
      reason; ///< activation-failed, activation-timeout, confirm-timeout, boot-default-failed, …
  std::string message;            ///< for a person; one line
  Generation recorded;            ///< before this transaction
  Generation current;             ///< read back when this status was made
  std::optional<int> made;        ///< number of the generation that this transaction made or took
  std::string closure;            ///< the wanted one; empty = an older agent, which does not say
  bool closure_matches = false;   ///< current.path is the wanted closure
  std::optional<int> exit_status; ///< of the activation script
  std::optional<std::string> signal; ///< that killed it: "SIGKILL"
  std::optional<Duration> script_duration;
  std::optional<Duration> confirm_left; ///< while awaiting_confirm
};

/// How an earlier transaction on this state directory ended: told to the next run, by the replies
/// to its prepare and, as that one may be lost, to its state, until it asks for something to be
/// done.
struct EarlierTransaction {
  std::string transaction, run;
  std::vector<ProfileStatus> profiles;
};

struct TransactionStatus { ///< reply to prepare and state
  std::string transaction;
  std::vector<ProfileStatus> profiles;
  std::vector<EarlierTransaction> earlier;    ///< until the first activate, abandon or finish
  std::map<std::string, std::string> details; ///< detach, reboot_protection, drift, detach_weak;
                                              ///< boot_default and mode where the agent heeds them
};
struct Accepted {}; ///< reply to activate, revoke, abandon, finish
struct Decision {
  State state = State::confirmed;
  ProfileStatus profile;
}; ///< reply to confirm
/// The request was refused; nothing was changed by it.
struct Refusal {
  std::string reason; ///< lock-held, path-invalid, nix-missing, no-activation, unknown-transaction,
                      ///< protocol, system
  std::string message;
  /// lock-held: run, node, url, since (RFC 3339) and transaction of the holder; attended ("true",
  /// "false": its runner has not been heard of for attended_limit); rest_s, within which it ends by
  /// itself when nobody asks any more; unfinished ("true"): nobody keeps it, and this request, a
  /// dry run's, must not end it; deployed ("true"): it is closed, and another node of the same run
  /// that is the same machine.
  std::map<std::string, std::string> details;
};

struct LogPart {
  std::string text; ///< empty = there is no more
};                  ///< reply to log

using ReplyBody = std::variant<TransactionStatus, Accepted, Decision, Refusal, LogPart>;
struct Reply {
  std::int64_t id = 0;
  ReplyBody body;
};

// ---- told unasked ----

struct StatusChanged {
  std::string transaction;
  ProfileStatus profile;
};
struct ScriptOutput {
  std::string transaction, profile, text;
};
struct Heartbeat {};

using Message = std::variant<Hello, Reply, StatusChanged, ScriptOutput, Heartbeat>;

/// JSON, one line, line feed included, never longer than line_limit.
std::string encode(const Request& request);
std::string encode(const Message& message);
/// Throws Error{protocol} that says what is wrong, with the start of the line.
Request decode_request(std::string_view line);
/// The id of a line that may be no request we know, so that its refusal can be told from others; 0
/// where it has none.
std::int64_t id_of_request(std::string_view line);
Message decode_message(std::string_view line);
/// Whether a line opens as Hello does; everything before it is shell noise.
bool looks_like_hello(std::string_view line);

} // namespace belay::agent
