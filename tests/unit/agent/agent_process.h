// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/protocol.h"
#include "engine/base/cancel.h"
#include "engine/base/file.h"
#include "engine/base/process.h"

#include <deque>
#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

// The real program on a Nix store of its own: what a runner does over SSH, over two pipes.

namespace belay::agent::test {

/// A private store, state directory and home, so that nothing of this machine's is touched.
class NixWorld {
public:
  NixWorld();
  ~NixWorld();
  static bool has_nix();

  /// A generation whose deploy-rs-activate is this shell script, and its
  /// bin/switch-to-configuration the other one unless that is empty; its store path.
  std::string generation(const std::string& name, const std::string& script,
                         const std::string& switch_script = "") const;
  /// "VARIABLE=value" for `env`.
  std::vector<std::string> environment() const;
  /// Runs a program in this world; its result.
  ProcessResult run(std::vector<std::string> argv) const;
  std::filesystem::path path(const std::string& below) const { return folder_.path() / below; }
  std::filesystem::path state_directory() const { return path("state/belay"); }
  /// Realpath of the system profile, or empty.
  std::string system() const;
  /// Pids of the agents that keep this transaction.
  std::vector<pid_t> keepers(const std::string& transaction) const;
  void kill_keepers(const std::string& transaction) const;
  /// Everything that runs in this world.
  std::vector<pid_t> processes() const;

private:
  TemporaryDirectory folder_{"/tmp/belay-world-"};
};

/// Where there is no Nix: says so; the test is left out then.
bool left_out();

std::string agent_program();
/// The one with fault points (engine/agent/fault_point.h).
std::string faulty_agent_program();

/// One `belay-agent serve`.
class Conversation {
public:
  explicit Conversation(const NixWorld& world, const std::string& program = agent_program());
  ~Conversation();
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  const Hello& hello() const { return hello_; }
  ReplyBody ask(const RequestBody& body);
  /// Reads until this profile is told to be in this state.
  ProfileStatus until(State state, const std::string& profile = "system");
  Message next();
  void write_raw(const std::string& text) { write_all(in_.get(), text); }
  /// SIGKILL.
  void kill();
  /// End of file; the exit status.
  int close();

  std::vector<std::string> output; ///< of scripts, so far

private:
  Message read();
  pid_t pid_ = -1;
  UniqueFd in_, out_;
  std::string buffer_;
  std::deque<Message> pending_;
  std::int64_t last_id_ = 0;
  Hello hello_;
};

} // namespace belay::agent::test
