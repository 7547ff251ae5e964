// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/unit/agent/agent_process.h"

#include <map>
#include <set>
#include <string>
#include <vector>

// A host whose agents can be cut off at a fault point, and what has to hold of it afterwards. There
// may be one a thread: nothing here takes part in Catch2, what is not as it should be is an Error.

namespace belay::agent::test {

class CutHost {
public:
  CutHost();

  /// What stands before a story begins.
  enum class Before { old_generation, nothing, link_into_store };
  /// Forgets all transactions; `old` is installed as Nix does it, or as said.
  void begin(Before before) const;
  /// Plays a story (cut_stories.h) to its end.
  void play(const std::string& story) const;
  /// The same, until an agent comes to `point`: there all agents die at once, and nothing else
  /// does. Throws where none ever comes there.
  void play_until(const std::string& story, const std::string& point) const;
  /// The points that agents have passed since begin().
  std::set<std::string> passed() const;

  /// Whoever deploys has been told that this one stays: check() allows no other one until the next
  /// deploy.
  void expect(const std::string& name) const;

  void recover() const;
  /// What a runner does that has lost contact: asks how each transaction stands, confirms what
  /// awaits that, ends what is decided.
  void query() const;
  /// A deploy that has to go well, of a generation of its own: "next".
  void deploy_next() const;
  /// The profile is one of these generations ("" = none), its activation ran last, nothing is open,
  /// kept or running, and what there was before is still a generation.
  void check(const std::set<std::string>& allowed) const;

  const NixWorld& world() const { return world_; }
  /// Store path of old, new, failing, breaking, theirs, slow or next.
  const std::string& closure(const std::string& name) const { return closures_.at(name); }
  /// SIGKILL for every agent, and for nothing that they have started.
  void end_agents() const;

private:
  std::string profile() const { return world_.path("state/profiles/system").string(); }
  std::string current() const;
  std::string last_activated() const;
  std::vector<pid_t> agents() const;
  bool is_cut() const;
  void wait_until_quiet() const;
  void check_transactions() const;
  void check_logs() const;

  NixWorld world_;
  std::map<std::string, std::string> closures_;
};

} // namespace belay::agent::test
