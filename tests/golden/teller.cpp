// SPDX-License-Identifier: Apache-2.0
#include "tests/golden/teller.h"

#include "engine/base/text.h"
#include "engine/event/run_state.h"

namespace belay::golden {

using event::Level;
using event::Outcome;
using event::Stage;
using event::StageFinished;

WallTime TurnedClock::start() {
  return *parse_time("2026-03-01T12:00:00.000Z");
}

event::PlanResolved::Node planned(const std::string& id, const std::string& host,
                                  const std::vector<std::string>& profiles) {
  event::PlanResolved::Node node{id, host, ".#" + id, {}};
  for (const std::string& profile : profiles)
    node.profiles.push_back(
        {profile,
         {Stage::build, Stage::copy, Stage::lock, Stage::activate, Stage::confirm, Stage::verify},
         "/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-" + profile});
  return node;
}

Teller::Teller(event::SecretMask mask)
    : emitter_("0195510e-8c00-7000-8000-0123456789ab", clock_, *this, std::move(mask)) {}

Teller& Teller::after(int milliseconds) {
  clock_.advance(Duration(milliseconds));
  return *this;
}

Teller& Teller::tell(event::Payload payload, event::Subject subject, std::string message,
                     Level level) {
  emitter_.emit({std::move(payload), std::move(subject), level, std::move(message)});
  return *this;
}

Teller& Teller::started(const std::string& environment, const std::string& on_failure) {
  event::RunStarted p;
  p.tool_name = "belay";
  p.tool_version = "0.1.0";
  p.nix_version = "2.8.0";
  p.command = "run";
  p.plan_path = "belay.yaml";
  p.flakes = {".#deploy"};
  p.rev = "3f2c1ab0d1e2f30415263748596a7b8c9d0e1f20";
  p.environment = environment;
  p.trigger = {"ci", "", "https://ci.example/job/7", "gitlab", "7", ""};
  p.host = "runner-1";
  p.pid = 4711;
  p.options = {{"on-failure", on_failure}};
  return tell(p);
}

Teller& Teller::begin(std::vector<event::PlanResolved::Node> nodes, const std::string& on_failure) {
  started("production", on_failure).after(1200);
  tell(event::EvaluateFinished{Outcome::success, Duration(1200), ""}, {"", "", Stage::evaluate, 0});
  event::PlanResolved plan;
  plan.nodes = std::move(nodes);
  plan.parallel = 8;
  tell(plan);
  for (const auto& node : plan.nodes)
    for (const auto& profile : node.profiles) {
      start(node.id, profile.name, Stage::build).after(400);
      event::BuildFinished build;
      build.derivation = "/nix/store/0v3bv0rhq2nkxl1l9ycpa6v1ixqgsivb-" + profile.name + ".drv";
      build.outputs = {profile.path};
      build.duration = Duration(400);
      tell(build);
      StageFinished done;
      done.duration = Duration(400);
      tell(done, {node.id, profile.name, Stage::build, 0});
    }
  return *this;
}

Teller& Teller::node(const std::string& id) {
  tell(event::NodeQueued{}, {id, "", {}, 0}, "", Level::debug);
  return tell(event::NodeStarted{id + ".internal"}, {id, "", {}, 0});
}

Teller& Teller::start(const std::string& node, const std::string& profile, Stage stage) {
  return tell(event::StageStarted{}, {node, profile, stage, 0}, "", Level::debug);
}

Teller& Teller::good(const std::string& node, const std::string& profile, Stage stage,
                     int milliseconds, StageFinished data) {
  start(node, profile, stage).after(milliseconds);
  data.duration = Duration(milliseconds);
  return tell(data, {node, profile, stage, 0});
}

Teller& Teller::bad(const std::string& node, const std::string& profile, Stage stage,
                    int milliseconds, StageFinished data, const std::string& message) {
  after(milliseconds);
  data.duration = Duration(milliseconds);
  return tell(data, {node, profile, stage, 0}, message, Level::error);
}

Teller& Teller::skip(const std::string& node, const std::string& profile,
                     const std::vector<Stage>& stages) {
  StageFinished skipped;
  skipped.outcome = Outcome::skipped;
  skipped.reason = event::reasons::not_reached;
  for (const Stage stage : stages)
    tell(skipped, {node, profile, stage, 0});
  return *this;
}

Teller& Teller::copied(const std::string& node, const std::string& profile, int generation) {
  StageFinished copy;
  copy.bytes = 12'900'000;
  copy.changed = true;
  good(node, profile, Stage::copy, 900, copy);
  StageFinished lock;
  lock.generation_before = generation;
  lock.details = {{"detach", "systemd"}, {"reboot_protection", "boot-unit"}};
  return good(node, profile, Stage::lock, 120, lock);
}

Teller& Teller::deployed(const std::string& node, const std::string& profile, int generation) {
  StageFinished activate;
  activate.changed = true;
  activate.exit_status = 0;
  activate.generation_after = generation;
  good(node, profile, Stage::activate, 2400, activate);
  StageFinished confirm;
  confirm.details = {{"confirm_path", "direct"}};
  good(node, profile, Stage::confirm, 310, confirm);
  StageFinished verify;
  verify.generation_after = generation;
  return good(node, profile, Stage::verify, 80, verify);
}

Teller& Teller::log(const std::string& node, const std::string& profile, Stage stage,
                    const std::string& text) {
  return tell(event::LogLine{"activation", text, std::nullopt, true}, {node, profile, stage, 0});
}

Teller& Teller::ended(const std::string& node, event::NodeFinished data,
                      const std::string& message) {
  const bool good = data.outcome == Outcome::success || data.outcome == Outcome::skipped;
  return tell(std::move(data), {node, "", {}, 0}, message, good ? Level::info : Level::error);
}

Teller& Teller::end() {
  event::RunState state;
  for (const event::Event& event : events_)
    event::fold(state, event);
  const event::Verdict verdict = event::judge(state);
  event::RunFinished p;
  p.outcome = verdict.outcome;
  p.exit_code = verdict.exit_code;
  p.reason = verdict.reason;
  p.counts = verdict.counts;
  p.nodes = verdict.nodes;
  p.duration = clock_.wall() - TurnedClock::start();
  p.artifacts = {{"events", "out/events.jsonl"}, {"junit", "out/junit.xml"}};
  return tell(p, {}, "", verdict.exit_code == 0 ? Level::info : Level::error);
}

} // namespace belay::golden
