// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/run/step_runner.h"
#include "tests/fakes/fake_world.h"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

// Runs the real steps of one node against a fake world and keeps what they told.

namespace belay::tests {

/// One node "web" with the given profiles, closures named after them: "system" has "system-2".
struct NodeSpec {
  std::vector<std::string> profiles = {"system"};
  bool magic_rollback = true;
  bool auto_rollback = true;
  std::map<std::string, plan::Login> logins = {}; ///< by profile; others log in as root
  std::map<std::string, std::string> users = {};  ///< by profile; others belong to root
  plan::BootDefault boot_default = plan::BootDefault::with_activation;
  plan::Mode mode = plan::Mode::activate;
  std::string signing_key = {};   ///< its file; empty = none
  std::string result_folder = {}; ///< empty = none
  bool check_signatures = false;
  std::string sudo_password = {};           ///< that the runner has; empty = none
  std::set<std::string> remote_builds = {}; ///< profiles that the target builds
  bool store_sudo = false;
  std::chrono::seconds lock_wait{0};
  std::chrono::seconds confirm_timeout{1};
  std::chrono::seconds foreign_lock{0};     ///< for a script that meets another activation's lock
  Duration ping = std::chrono::seconds(20); ///< how long nobody need ask for what is open
};

class StepHarness {
public:
  explicit StepHarness(const NodeSpec& spec = {});

  fakes::FakeWorld world;
  fakes::FakeHost& host() { return world.hosts.at("web"); }
  static std::string old_closure(const std::string& profile);
  static std::string new_closure(const std::string& profile);

  run::NodeResult step(run::StepKind kind);
  /// build and copy, both of which must succeed.
  void bring_over();

  CancelSource work, abandon;
  std::vector<event::Draft> told;
  std::function<void(const event::Draft&)> on_tell = {}; ///< before it counts as told
  /// How the stage ended; fails the test unless it ended exactly once.
  event::StageFinished ended(const std::string& profile, event::Stage stage) const;
  /// Every planned stage of the kinds of step that ran ended exactly once.
  void check_promises() const;
  std::vector<event::NodeRolledBack> rollbacks() const;

private:
  plan::Plan plan_;
  std::filesystem::path agents_;
  std::unique_ptr<ssh::Transport> transport_;
  std::unique_ptr<nix::NixStore> store_;
  std::unique_ptr<run::AgentFinder> finder_;
  std::unique_ptr<run::StepRunner> runner_;
  std::vector<run::StepKind> ran_;
};

} // namespace belay::tests
