// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/store_path.h"
#include "engine/plan/settings.h"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// What shall be true when the run is over: nodes, their profiles with every setting resolved, and
// the policy of the run. Values only, immutable once resolved; nothing here knows how it is done.
// Names of nodes and profiles are data from outside: any text but NUL. What is added here is named
// in plan_fields.h, too, which the JSON form is made from.

namespace belay::plan {

/// What is done with the closures of a run: deploy-rs's --dry-activate and --boot.
enum class Mode {
  activate,
  dry_activate, ///< their scripts say what they would do; nothing is changed, nothing rolled back
  boot,         ///< they are what the machines boot next; what runs, runs
};
/// As reports spell it: "activate", "dry-activate", "boot".
template <> std::span<const std::string_view> names_of<Mode>();
std::string_view name_of(Mode mode);

/// How one logs in on the node's host. Two of a node may even lead to different machines (a port of
/// a container): what they share there, only the target can say.
struct Login {
  std::string user;                 ///< empty: whatever ssh_config or the local user says
  std::vector<std::string> options; ///< for ssh
  Transport transport = Transport::automatic;
  bool operator==(const Login&) const = default;
};

/// Where a password is. The runner fetches it; the plan never holds one.
struct SecretSource {
  enum class Kind { variable, file };
  Kind kind = Kind::variable;
  std::string name; ///< of the variable or the file
  auto operator<=>(const SecretSource&) const = default;
};

struct Profile {
  std::string name;
  StorePath path;                          ///< the closure to activate
  std::optional<StorePath> derivation;     ///< builds `path`; nullopt: `path` was valid already
  std::optional<std::string> profile_path; ///< explicit; else the agent decides (5.7 of deploy-rs)
  std::string user;                        ///< owner of the profile on the target
  Login login = {};                        ///< brings it over, and confirms
  std::string sudo = "sudo -u";            ///< words before the user's name
  Mode mode = Mode::activate;              ///< the same for all profiles of a plan
  bool auto_rollback = true;               ///< false in a dry run
  bool magic_rollback = true;              ///< false in a dry run and for boot
  Seconds confirm_timeout{30};
  Seconds activation_timeout{240};
  BootDefault boot_default = BootDefault::with_activation;
  bool fast_connection = false; ///< true: the target does not ask its substituters
  bool remote_build = false;    ///< the target builds it; only with `derivation`
  bool store_sudo = false; ///< the store is served by `user`, through sudo; only where it is used
  std::optional<SecretSource> sudo_password = {}; ///< only where sudo is used
  std::optional<std::string> signing_key = {};    ///< file of a secret key, in this run
  bool operator==(const Profile&) const = default;
};

struct Node {
  std::string name;
  std::string flake;    ///< as given; target_of shows FLAKE#NODE
  std::string hostname; ///< as written: may be an ssh_config alias, host:port, an IPv6 literal
  std::optional<std::string> host_key;           ///< pinned: "ssh-ed25519 AAAA…"
  std::vector<Profile> profiles;                 ///< in the order of activation
  std::vector<std::string> unevaluated_profiles; ///< names, where evaluation_error is set
  std::optional<std::string> evaluation_error; ///< this node failed to evaluate; profiles is empty
  bool skip = false;                           ///< `skip: true` in the plan file
  bool operator==(const Node&) const = default;
};

enum class OnFailure { stop, proceed }; ///< `proceed` is spelled "continue"
template <> std::span<const std::string_view> names_of<OnFailure>();

/// How many nodes may be in a stage at once; all at least 1.
struct Limits {
  int evaluate = 1;
  int build = 8; ///< whose targets build; what the runner builds is one process for all
  int copy = 4;
  int activate = 8;
  bool operator==(const Limits&) const = default;
};

struct Policy {
  Mode mode = Mode::activate;
  OnFailure on_failure = OnFailure::stop;
  bool rollback_succeeded = true; ///< default: true under stop, false under continue
  int parallel = 8;               ///< nodes worked on at once
  Limits limits;
  Seconds grace{6};      ///< after a first signal, for nodes that are activating
  Seconds lock_wait{60}; ///< for a deploy of another run to let go of a target; 0: not at all
  Seconds deadline{0};   ///< of the whole run, from its start; 0: none
  bool operator==(const Policy&) const = default;
};

struct Reports {
  std::optional<std::string> events; ///< path, "-" or "fd:N"
  std::optional<std::string> junit;
  // Of the command line alone:
  std::optional<std::string> log_folder = {}; ///< where a log of the run is written
  bool log_on_console = false;                ///< the same lines on stderr
  bool progress = true;                       ///< what goes on may be shown live on a terminal
  bool operator==(const Reports&) const = default;
};

/// One of `webhooks`. Secrets are resolved by the runner, never stored here.
struct Webhook {
  std::optional<std::string> url, url_env, url_file;  ///< exactly one
  std::optional<std::string> secret_env, secret_file; ///< at most one
  std::vector<std::string> events; ///< globs on the type; empty = the default set
  bool allow_http = false;
  Seconds timeout{15};
  int line = 0; ///< in the plan file
  bool operator==(const Webhook&) const = default;
};

struct Plan {
  std::string file; ///< plan file as named by the user, empty = none
  std::string environment;
  std::vector<std::string> flakes;
  std::vector<Node> nodes; ///< the selected ones, in order of name within each flake
  Policy policy;
  Reports reports;
  std::vector<Webhook> webhooks;
  bool operator==(const Plan&) const = default;
};

/// "FLAKE#NODE" with the node quoted where Nix's attribute syntax needs it.
std::string target_of(const Node& node);

/// [A-Za-z0-9_][A-Za-z0-9_.-]*\$? : what may be an argument of sudo.
bool is_user_name(std::string_view name);

/// What `belay plan --format` prints. TOML is what deploy-rs shows before it deploys: a table
/// NODE.PROFILE for each profile that would be activated, with user, ssh_user, path, hostname and
/// ssh_opts.
std::string plan_to_json(const Plan& plan);
std::string plan_to_table(const Plan& plan);
std::string plan_to_toml(const Plan& plan);

} // namespace belay::plan
