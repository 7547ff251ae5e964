// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

// The processes of this machine as /proc shows them, and how to find those that a script started
// without a cgroup to look into: its keeper is a subreaper, so whatever loses its parent becomes
// the keeper's child; and every process carries the environment that it was started with.

namespace belay::agent {

struct ProcessFacts {
  pid_t pid = 0, parent = 0, session = 0;
  unsigned long long start = 0; ///< ticks since boot; with the pid it names a process for ever
  bool dead = false;            ///< a zombie
  bool same_as(const ProcessFacts& other) const { return pid == other.pid && start == other.start; }
};

/// Empty where there is no /proc. Throws Error{system} where there is one that cannot be read.
std::vector<ProcessFacts> list_processes();

/// The line of /proc/PID/stat; a pid of 0 where it is not one.
ProcessFacts parse_process_stat(std::string_view line);

/// NAME=VALUE as the process was started with; false also where that may not be read.
bool has_in_environment(pid_t pid, const std::string& assignment);
/// The value of NAME, empty where it has none.
std::string environment_value(pid_t pid, const std::string& name);

/// `roots` and all that descend from them, without the dead.
std::vector<ProcessFacts> with_descendants(const std::vector<ProcessFacts>& all,
                                           std::vector<ProcessFacts> roots);

/// Orphans among our descendants become our children from now on. False where that cannot be had.
bool become_subreaper();

} // namespace belay::agent
