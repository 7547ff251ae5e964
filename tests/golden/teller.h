// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/event.h"

#include <string>
#include <vector>

// How the scenarios are written down: short sentences that become events.

namespace belay::golden {

class TurnedClock final : public Clock {
public:
  Instant now() const override { return Instant(elapsed_); }
  WallTime wall() const override { return start() + elapsed_; }
  void sleep_until(Instant when) override { elapsed_ = when.time_since_epoch(); }
  void advance(Duration duration) { elapsed_ += duration; }
  static WallTime start();

private:
  Duration elapsed_{};
};

/// A node with one or more profiles, each with the six usual stages.
event::PlanResolved::Node planned(const std::string& id, const std::string& host,
                                  const std::vector<std::string>& profiles);

class Teller final : public event::Sink {
public:
  explicit Teller(event::SecretMask mask = {});
  void on_event(const event::Event& event) override { events_.push_back(event); }
  std::vector<event::Event> take() { return std::move(events_); }

  Teller& after(int milliseconds);
  Teller& tell(event::Payload payload, event::Subject subject = {}, std::string message = "",
               event::Level level = event::Level::info);
  /// run.started, evaluate.finished, plan.resolved, and every build done.
  Teller& begin(std::vector<event::PlanResolved::Node> nodes, const std::string& on_failure);
  Teller& started(const std::string& environment, const std::string& on_failure);
  Teller& node(const std::string& id);
  Teller& start(const std::string& node, const std::string& profile, event::Stage stage);
  /// Starts the stage, lets the time pass and ends it well.
  Teller& good(const std::string& node, const std::string& profile, event::Stage stage,
               int milliseconds, event::StageFinished data = {});
  Teller& bad(const std::string& node, const std::string& profile, event::Stage stage,
              int milliseconds, event::StageFinished data, const std::string& message);
  /// Not reached.
  Teller& skip(const std::string& node, const std::string& profile,
               const std::vector<event::Stage>& stages);
  /// Copy and lock.
  Teller& copied(const std::string& node, const std::string& profile, int generation);
  /// Activate, confirm, verify.
  Teller& deployed(const std::string& node, const std::string& profile, int generation);
  Teller& log(const std::string& node, const std::string& profile, event::Stage stage,
              const std::string& text);
  Teller& ended(const std::string& node, event::NodeFinished data, const std::string& message = "");
  /// run.finished as the verdict has it.
  Teller& end();

private:
  TurnedClock clock_;
  std::vector<event::Event> events_;
  event::Emitter emitter_;
};

} // namespace belay::golden
