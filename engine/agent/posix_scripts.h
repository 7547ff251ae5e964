// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/containment.h"
#include "engine/agent/record.h"
#include "engine/agent/script_output.h"
#include "engine/agent/scripts.h"
#include "engine/agent/transaction_files.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

// Scripts as the keeper really runs them: as deploy-rs does (working directory and $PROFILE are the
// profile, on a dry run the closure; DRY_ACTIVATE=0 and BOOT=0 on activation, BOOT=1 to be booted,
// DRY_ACTIVATE=1 on a dry run, neither on rollback), in a
// session of their own, stdin empty, output straight into the profile's output file. Straight, not
// through a pipe of ours: a script must not die of its next `echo` because its keeper was killed.
// The file is kept small by giving its beginning back to the disk.

namespace belay::agent {

class PosixScripts final : public Scripts {
public:
  struct Options {
    Duration term_grace = std::chrono::seconds(10); ///< from TERM to KILL (transaction rules)
    Duration kill_grace = std::chrono::seconds(10); ///< from KILL until it counts as unstoppable
    std::int64_t output_cap = 4 * 1024 * 1024;      ///< bytes of a profile's output that are kept
    std::function<void()> on_tick; ///< called some 50 times a second while one runs
  };
  /// Makes this process a subreaper; it must have no other children whose end matters.
  PosixScripts(TransactionFiles files, std::map<std::string, std::string> environment,
               Containment& containment, Options options);

  ScriptResult run(const ScriptCall& call) override;
  bool stop_leftovers(const ScriptCall& call) override;

private:
  std::map<std::string, std::string> environment_for(const ScriptCall& call,
                                                     const std::string& mark) const;
  ScriptResult run_in(Containment& containment, const ScriptCall& call,
                      const ScriptCommand& command, const std::string& mark);
  ScriptResult await(pid_t pid, const ScriptCall& call, const std::string& mark,
                     ScriptOutputFile& output);
  std::optional<std::vector<pid_t>> members(const std::string& mark, bool ours);
  bool stop(const std::string& mark, bool ours);
  void tick_safely();
  std::string next_mark(const ScriptCall& call);

  TransactionFiles files_;
  std::map<std::string, std::string> environment_;
  Containment& containment_;
  SessionContainment session_; ///< where the other one cannot be had
  bool in_session_ = false;    ///< the script that runs is
  Options options_;
};

/// What scripts get of the recorded environment: XDG_RUNTIME_DIR where it exists, and Nix at the
/// end of PATH.
std::map<std::string, std::string> script_environment(std::map<std::string, std::string> recorded,
                                                      const std::string& user);

} // namespace belay::agent
