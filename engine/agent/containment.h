// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/process_tree.h"
#include "engine/base/process.h"

#include <filesystem>
#include <string>
#include <vector>

// How the processes of one script are kept together, so that all of it can be stopped. Where there
// is systemd, a scope: a cgroup, out of which nothing gets. What is begun in it first writes down
// in which one it is, so that the manager need not answer for it to be stopped. Elsewhere a session
// of its own, the subreaper and a mark in the environment; a process that sheds all three is not
// found.

namespace belay::agent {

class Containment {
public:
  virtual ~Containment() = default;
  /// The command line that runs `argv` within it. `mark` is this run's name: TX-act-0.
  virtual std::vector<std::string> wrap(const std::string& mark, std::vector<std::string> argv) = 0;
  /// Whether the wrapped program was begun, where that cannot be told from how its wrapper ended.
  virtual bool entered(const std::string&) const { return true; }
  /// What lives within it now. `ours`: this process started it (and did not inherit it from a
  /// keeper that died). Throws Error{system} where it could not look: that is not "empty".
  virtual std::vector<pid_t> members(const std::string& mark, bool ours) = 0;
};

/// The name of the variable that carries the mark.
inline constexpr const char* mark_variable = "BELAY_SCRIPT";

class SessionContainment final : public Containment {
public:
  std::vector<std::string> wrap(const std::string& mark, std::vector<std::string> argv) override;
  std::vector<pid_t> members(const std::string& mark, bool ours) override;
  /// Takes down who is there already and so cannot be of the script to come; wrap() does it too.
  void look_around();

private:
  std::vector<ProcessFacts> before_; ///< children that were there before the script
};

class ScopeContainment final : public Containment {
public:
  struct Options {
    bool user_manager = false;
    std::filesystem::path folder; ///< of the transaction: for the cgroup that the script is in
    std::filesystem::path cgroups = "/sys/fs/cgroup";
  };
  ScopeContainment(ProcessRunner& processes, Options options)
      : processes_(processes), options_(std::move(options)) {}
  std::vector<std::string> wrap(const std::string& mark, std::vector<std::string> argv) override;
  bool entered(const std::string& mark) const override;
  std::vector<pid_t> members(const std::string& mark, bool ours) override;

  /// "belay-TX-act-0.scope"
  static std::string unit_of(const std::string& mark) { return "belay-" + mark + ".scope"; }

private:
  std::string group_from_marker(const std::string& mark) const;
  std::string group_from_manager(const std::string& mark);

  ProcessRunner& processes_;
  Options options_;
};

} // namespace belay::agent
