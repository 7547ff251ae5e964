// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <sys/types.h>
#include <vector>

// Starting a process in a session of its own: no terminal, no descriptor of ours, default signals,
// stdin empty, output appended to a file. What PosixProcessRunner cannot do, because its children
// are awaited where they are started.

namespace belay::agent {

struct SpawnSpec {
  std::vector<std::string> argv;                  ///< argv[0] is looked up in the child's PATH
  std::map<std::string, std::string> environment; ///< all of it
  std::filesystem::path directory;                ///< empty = ours
  std::filesystem::path output;                   ///< for stdout and stderr; made where missing
  bool orphan = false; ///< a child of init's (or of a subreaper's), not of ours
};

/// The pid, which the caller has to await unless it is an orphan (then 0). Throws Error{system}
/// where it cannot be started. May be called beside other threads.
pid_t spawn(const SpawnSpec& spec);

} // namespace belay::agent
