// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/process.h"
#include "engine/ssh/target.h"
#include "engine/ssh/transport.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

// What the user's `ssh` would do for a host, asked of `ssh` itself: `ssh -G` prints the resolved
// configuration (it runs `Match exec` commands while it does). The answer is compared with that of
// an empty configuration. A key that differs is one that the in-process session understands, or one
// that makes no difference to a deploy, or else it is named in `unsupported`: that host needs the
// ssh program itself. Where there is no ssh program, the plan's own settings serve.

namespace belay::ssh {

enum class StrictHostKeys {
  yes,        ///< also for ssh_config's "ask": nobody is asked
  accept_new, ///< unknown hosts are written down, known ones must be who they were
  no,         ///< anything but a revoked key, with a warning
};

enum class AddressFamily { any, inet, inet6 };

struct ResolvedHost {
  std::string hostname;
  std::uint16_t port = 22;
  std::string user;
  std::vector<std::string> identity_files; ///< absolute paths, in order; they may not exist
  std::string agent_socket;                ///< empty = no agent
  bool identities_only = false;
  std::vector<std::string> user_known_hosts;
  std::vector<std::string> global_known_hosts;
  StrictHostKeys strict_host_keys = StrictHostKeys::yes;
  bool hash_known_hosts = false;
  std::string host_key_alias; ///< empty = the host's name and port
  std::optional<Duration> connect_timeout;
  Duration alive_interval{}; ///< zero = not said
  int alive_count = 0;
  AddressFamily address_family = AddressFamily::any;
  std::string proxy_jump;    ///< as written: "a,b@c:22"; empty = none
  std::string proxy_command; ///< as written, with its %h; empty = none
  bool known_hosts_command = false;
  std::vector<std::string> other_logins; ///< ways to log in that only the ssh program has
  std::vector<std::string> unsupported;  ///< "proxyjump bastion": needs the ssh program
};

/// Any thread. Each question is asked once in a run: what a host's configuration was when the run
/// first met it holds until its end, and a confirmation, whose time is short, need not wait for it.
class SshConfig {
public:
  /// `program` empty: there is no ssh program.
  SshConfig(ProcessRunner& processes, std::string program);
  /// Throws Error{invalid_plan} where `ssh -G` refuses host or options,
  /// Error{transport_unsupported} for ssh_opts that need an ssh program where there is none,
  /// Error{cancelled | unreachable}.
  ResolvedHost resolve(const HostAddress& address, const Wait& wait);

private:
  std::string ask(const std::vector<std::string>& arguments, const Wait& wait);
  std::string run(const std::vector<std::string>& arguments, const Wait& wait);

  ProcessRunner& processes_;
  std::string program_;
  std::mutex mutex_;
  std::map<std::vector<std::string>, std::string> answers_; ///< by arguments
};

/// Pure: the meaning of one `ssh -G` answer beside that of the empty configuration.
ResolvedHost interpret_ssh_config(const std::string& answer, const std::string& empty_answer);

/// Pure: without an ssh program. Knows -p, -l, -i and -o with the supported keys.
ResolvedHost resolve_without_ssh(const HostAddress& address);

/// What belay asks of ssh for whatever connection, first on its command line: ssh takes the first
/// value that it meets.
std::vector<std::string> fixed_ssh_options();

/// -p and -l for the address, as far as it names port and user. `target` is its hostname, taken
/// apart.
std::vector<std::string> target_options(const HostAddress& address, const Target& target);

/// The full path of a program in PATH; empty where there is none.
std::string find_program(const std::string& name);

} // namespace belay::ssh
