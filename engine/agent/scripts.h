// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/clock.h"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

// Running the script of a generation: what it may assume, and how it ends. Its own exit decides;
// children that it leaves behind go on, even with its output open. At its deadline, though, all of
// it is stopped, grandchildren too, and only when nothing of it is left may anything be rolled
// back: a switch-to-configuration that still runs would fight the old generation's.

namespace belay::agent {

/// How often a script is begun that its keeper, or the machine, did not live to see the end of.
/// Once may be somebody else's doing; a script that takes us with it each time would do so for
/// ever, at boot before the network is there.
constexpr int most_attempts_of_a_script = 3;

struct ScriptCall {
  enum class Kind {
    activation, ///< of the new generation, which it also makes the boot default
    trial,      ///< of the new generation, without that
    boot,       ///< makes the new generation the boot default and activates nothing
    dry,        ///< says what activation of the new generation would do
    rollback,   ///< activation of the old generation
    boot_back,  ///< makes the old generation the boot default again and activates nothing
  };
  Kind kind = Kind::activation;
  std::size_t profile = 0;  ///< index in the record
  std::string generation;   ///< store path whose script is run
  std::string profile_path; ///< working directory and $PROFILE
  Duration limit{};
};

struct ScriptResult {
  enum class End {
    none,      ///< the generation has no script
    exited,    ///< with exit_status
    signalled, ///< by signal
    timed_out, ///< stopped at its deadline
    unstarted, ///< could not be started: `message` says why
    lost,      ///< could not be watched any longer and was stopped: `message` says why
  };
  End end = End::exited;
  std::optional<int> exit_status;
  std::optional<std::string> signal;
  bool emptied = true; ///< false: something of it runs on in spite of KILL
  Duration duration{};
  std::string message; ///< for a person
  std::string tail;    ///< the end of its output

  bool succeeded() const { return end == End::exited && exit_status == 0; }
};

/// How it ended, for a person: "exited 4 after 1.2 s".
std::string describe(const ScriptResult& result);
/// Whether it gave up because another one holds the lock of switch-to-configuration.
bool met_a_lock(const ScriptResult& result);

/// Of the old generation. On the way back nothing may stand in the way.
constexpr bool goes_back(ScriptCall::Kind kind) {
  return kind == ScriptCall::Kind::rollback || kind == ScriptCall::Kind::boot_back;
}

class Scripts {
public:
  virtual ~Scripts() = default;
  virtual ScriptResult run(const ScriptCall& call) = 0;
  /// Stops what a keeper that died has left running of such a call. False: something runs on.
  virtual bool stop_leftovers(const ScriptCall& call) = 0;
};

/// What is run of a generation, in this order: deploy-rs-activate, bin/switch-to-configuration
/// switch, and for one that is gone back to also activate (home-manager, darwin). On trial only
/// bin/switch-to-configuration test will do, because deploy-rs-activate switches. For boot it is
/// deploy-rs-activate (with BOOT=1) or bin/switch-to-configuration boot, for a dry run
/// deploy-rs-activate (with DRY_ACTIVATE=1) or bin/switch-to-configuration dry-activate; a
/// deploy-rs-activate that does not so much as name the variable (deploy-rs before 2021-04 and
/// 2022-10) would activate, and is not run. nullopt: nothing. Throws Error{system} where a script
/// cannot be read.
struct ScriptCommand {
  std::string program;
  std::string argument; ///< may be empty
};
std::optional<ScriptCommand> find_script(const std::string& generation, ScriptCall::Kind kind);

/// The names below a closure of which one has to be a program, or nothing activates it.
const std::vector<std::string>& activation_programs();

/// The generation that really gets activated: a profile may wrap it. Empty where that cannot be
/// told.
std::string activated_by(const std::string& generation);

} // namespace belay::agent
