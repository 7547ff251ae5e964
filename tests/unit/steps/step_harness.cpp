// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/steps/step_harness.h"

#include "engine/run/announcement.h"
#include "tests/catch.h"

#include <algorithm>
#include <map>

namespace belay::tests {

using event::Stage;
using run::StepKind;

std::string StepHarness::old_closure(const std::string& profile) {
  return fakes::fake_path(profile + "-1").string();
}

std::string StepHarness::new_closure(const std::string& profile) {
  return fakes::fake_path(profile + "-2").string();
}

StepHarness::StepHarness(const NodeSpec& spec) {
  plan::Node node;
  node.name = node.hostname = "web";
  auto& host = world.hosts["web"];
  for (const auto& name : spec.profiles) {
    plan::Profile profile{name, fakes::fake_path(name + "-2"), fakes::fake_path(name + "-2.drv"),
                          std::nullopt, "root"};
    profile.login.user = "root";
    if (const auto found = spec.logins.find(name); found != spec.logins.end()) {
      profile.login = found->second;
    }
    if (const auto found = spec.users.find(name); found != spec.users.end()) {
      profile.user = found->second;
    }
    profile.auto_rollback = spec.auto_rollback;
    profile.remote_build = spec.remote_builds.contains(name);
    profile.store_sudo = spec.store_sudo;
    profile.boot_default = spec.boot_default;
    profile.mode = spec.mode;
    profile.magic_rollback = spec.magic_rollback;
    if (!spec.signing_key.empty()) {
      profile.signing_key = spec.signing_key;
    }
    if (!spec.sudo_password.empty()) {
      profile.sudo_password = plan::SecretSource{plan::SecretSource::Kind::variable, "SUDO"};
    }
    profile.confirm_timeout = spec.confirm_timeout;
    profile.activation_timeout = plan::Seconds(0);
    node.profiles.push_back(profile);
    host.generations[name] = {old_closure(name)};
    host.store.insert(old_closure(name));
  }
  plan_.nodes = {node};
  plan_.policy.lock_wait = spec.lock_wait;
  transport_ = world.transport();
  store_ = world.store();
  // Any program does: the fake store does not look at it.
  finder_ = std::make_unique<run::AgentFinder>(
      std::vector<std::filesystem::path>{BELAY_SOURCE_DIR "/tests/unit/steps/agents"},
      "x86_64-linux", *store_);
  run::StepRunnerOptions options;
  options.run = "run-1";
  options.check_signatures = spec.check_signatures;
  if (!spec.result_folder.empty()) {
    options.result_folder = spec.result_folder;
  }
  options.patience = {.reach = std::chrono::milliseconds(200),
                      .kill = std::chrono::seconds(1),
                      .foreign_lock = spec.foreign_lock,
                      .verdict = std::chrono::seconds(4),
                      .ping = spec.ping};
  options.passwords[{plan::SecretSource::Kind::variable, "SUDO"}] =
      std::make_shared<const Secret>(spec.sudo_password, "the environment variable SUDO");
  runner_ = std::make_unique<run::StepRunner>(plan_, *transport_, *store_, *finder_, options);
}

run::NodeResult StepHarness::step(StepKind kind) {
  run::StepContext context(
      [this](event::Draft draft) {
        if (on_tell) {
          on_tell(draft);
        }
        told.push_back(std::move(draft));
      },
      work.token(), abandon.token());
  ran_.push_back(kind);
  const auto result = runner_->run({ran_.size(), kind, {0}}, context);
  REQUIRE(result.nodes.size() == 1);
  check_promises();
  return result.nodes.front();
}

void StepHarness::bring_over() {
  REQUIRE(step(StepKind::build).outcome == event::Outcome::success);
  const auto copied = step(StepKind::copy);
  INFO(copied.message);
  REQUIRE(copied.outcome == event::Outcome::success);
}

event::StageFinished StepHarness::ended(const std::string& profile, Stage stage) const {
  std::vector<event::StageFinished> found;
  for (const auto& draft : told) {
    if (const auto* done = std::get_if<event::StageFinished>(&draft.payload);
        done != nullptr && draft.subject.profile == profile && draft.subject.stage == stage) {
      found.push_back(*done);
    }
  }
  INFO(profile << ": " << name_of(stage));
  REQUIRE(found.size() == 1);
  return found.front();
}

void StepHarness::check_promises() const {
  for (const auto kind : ran_) {
    for (const auto& profile : plan_.nodes.front().profiles) {
      for (const auto stage : run::stages_of(profile)) {
        if (run::step_of(profile, stage) == kind) {
          ended(profile.name, stage);
        }
      }
    }
  }
}

std::vector<event::NodeRolledBack> StepHarness::rollbacks() const {
  std::vector<event::NodeRolledBack> result;
  for (const auto& draft : told) {
    if (const auto* rolled_back = std::get_if<event::NodeRolledBack>(&draft.payload)) {
      result.push_back(*rolled_back);
    }
  }
  return result;
}

} // namespace belay::tests
