// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/plan.h"
#include "engine/run/executor.h"
#include "engine/run/step.h"
#include "tests/simulation/random.h"

#include <compare>
#include <cstddef>
#include <deque>
#include <set>
#include <string_view>
#include <vector>

// A step in the simulated world: what it will tell and when, written down when it starts. It keeps
// the promise that real steps make - each stage that it covers ends once - and, when it is told to
// stop, tears up the rest of its script and ends as a real one would.

namespace belay::simulation {

struct StageKey {
  run::NodeIndex node = 0;
  std::size_t profile = 0;
  event::Stage stage = event::Stage::build;
  auto operator<=>(const StageKey&) const = default;
};

struct Action {
  enum class Kind { begin, end, tell, result };
  Instant at;
  Kind kind = Kind::tell;
  StageKey key;
  run::Occurrence occurrence;
};

class SimStep {
public:
  SimStep(const plan::Plan& plan, const run::Step& step, std::size_t trouble, Random random,
          Instant now);

  /// When the next thing happens. A step always has one until its result is taken.
  Instant next_at() const { return actions_.front().at; }
  bool over() const { return actions_.empty(); }
  run::Occurrence take();
  void stop(run::Stop how, Instant now);

private:
  using Outcome = event::Outcome;

  // ---- sim_step.cpp: writing the script ----
  void write();
  void cover();
  void after(Duration longest) { at_ += random_.up_to(longest); }
  bool trouble() { return random_.percent(trouble_); }
  void begin(const StageKey& key);
  void end(const StageKey& key, Outcome outcome, std::string_view reason = {});
  void skip_rest(std::string_view reason);
  void tell(run::NodeIndex node, const std::string& profile, event::Payload payload);
  void tell_rolled_back(run::NodeIndex node, std::size_t profile, event::RollbackTrigger trigger);
  void give(std::vector<run::NodeResult> results);
  run::NodeResult verdict(Outcome outcome, std::string_view reason = {}) const;
  void add(Action::Kind kind, const StageKey& key, run::Occurrence occurrence);

  // ---- sim_world.cpp: what happens in the world ----
  void survey();
  void turn_down(Outcome outcome, std::string_view reason, std::string_view rest);
  void build();
  void copy();
  void activate();
  bool activate_profile(std::size_t profile, run::NodeResult& result);
  void fail_activation(const StageKey& key, run::NodeResult& result);
  void roll_back();
  void finish();

  // ---- sim_stop.cpp: being told to stop ----
  void stop_work(Instant now);
  void stop_build(Instant now);
  void stop_between_profiles();
  void abandon(Instant now);
  void close_stages(Outcome outcome, std::string_view reason);
  bool has_worked() const;
  bool begins_later_profile(std::size_t current) const;

  const plan::Plan& plan_;
  run::Step step_;
  std::size_t trouble_;
  Random random_;
  Instant at_;                       ///< of the next action that is written
  std::vector<StageKey> covered_;    ///< in order
  std::set<StageKey> written_;       ///< their end is in the script or was told
  std::set<StageKey> begun_, ended_; ///< told
  std::vector<run::NodeResult> results_;
  std::deque<Action> actions_;
};

} // namespace belay::simulation
