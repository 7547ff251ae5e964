// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/sim_step.h"

#include "engine/base/error.h"

#include <algorithm>
#include <utility>

namespace belay::simulation {

using std::chrono_literals::operator""ms;
using event::Rollback;
using event::Stage;

void SimStep::stop(run::Stop how, Instant now) {
  if (how == run::Stop::work)
    stop_work(now);
  else
    abandon(now);
}

/// Ends what has begun and was not ended as `outcome`; what was not begun is skipped. At least one
/// stage ends as `outcome`: it says why the step ended.
void SimStep::close_stages(Outcome outcome, std::string_view reason) {
  bool said = false;
  for (const StageKey& key : covered_)
    if (begun_.contains(key) && !ended_.contains(key)) {
      end(key, outcome, reason);
      said = true;
    }
  for (const StageKey& key : covered_)
    if (!ended_.contains(key) && !begun_.contains(key) && !std::exchange(said, true)) {
      begin(key);
      end(key, outcome, reason);
    }
  skip_rest(reason);
}

/// Nothing is left to stop: what remains is to say what is skipped after a failure, and the result.
bool SimStep::has_worked() const {
  return std::includes(ended_.begin(), ended_.end(), begun_.begin(), begun_.end()) &&
         std::none_of(actions_.begin(), actions_.end(),
                      [](const Action& action) { return action.kind == Action::Kind::begin; });
}

void SimStep::stop_work(Instant now) {
  const bool too_late = random_.one_in(5); // the step ends before it takes notice
  if (step_.kind == run::StepKind::activate)
    return stop_between_profiles();
  if (too_late || (step_.kind != run::StepKind::survey && step_.kind != run::StepKind::build &&
                   step_.kind != run::StepKind::copy))
    return;
  if (has_worked())
    return;
  actions_.clear();
  written_ = ended_;
  at_ = now + random_.up_to(400ms);
  if (step_.kind == run::StepKind::build)
    return stop_build(now);
  if (step_.kind == run::StepKind::survey)
    return turn_down(Outcome::cancelled, reason_of(ErrorKind::cancelled),
                     reason_of(ErrorKind::cancelled));
  close_stages(Outcome::cancelled, reason_of(ErrorKind::cancelled));
  give({verdict(Outcome::cancelled, reason_of(ErrorKind::cancelled))});
}

/// What was built stays built.
void SimStep::stop_build(Instant) {
  for (run::NodeResult& result : results_) {
    const bool ended = std::all_of(covered_.begin(), covered_.end(), [&](const StageKey& key) {
      return key.node != result.node || ended_.contains(key);
    });
    if (ended)
      continue;
    for (const StageKey& key : covered_)
      if (key.node == result.node && !ended_.contains(key)) {
        if (!begun_.contains(key))
          begin(key);
        end(key, Outcome::cancelled, reason_of(ErrorKind::cancelled));
      }
    const run::NodeIndex node = result.node;
    result = verdict(Outcome::cancelled, reason_of(ErrorKind::cancelled));
    result.node = node;
  }
  give(results_);
}

bool SimStep::begins_later_profile(std::size_t current) const {
  return std::any_of(actions_.begin(), actions_.end(), [&](const Action& action) {
    return action.kind == Action::Kind::begin && action.key.profile > current;
  });
}

/// Sees the profile that it is at through and starts no further one.
void SimStep::stop_between_profiles() {
  std::size_t current = 0;
  for (const StageKey& key : begun_)
    current = std::max(current, key.profile);
  if (!begins_later_profile(current))
    return;
  const auto later = std::find_if(actions_.begin(), actions_.end(), [&](const Action& action) {
    return action.kind == Action::Kind::begin && action.key.profile > current;
  });
  at_ = later->at;
  actions_.erase(later, actions_.end());
  written_ = ended_;
  for (const Action& action : actions_)
    if (action.kind == Action::Kind::end)
      written_.insert(action.key);
  skip_rest(reason_of(ErrorKind::cancelled));
  run::NodeResult result = verdict(Outcome::cancelled, reason_of(ErrorKind::cancelled));
  result.touched = result.confirmed = result.changed = true;
  give({result});
}

void SimStep::abandon(Instant now) {
  if (actions_.front().kind == Action::Kind::result)
    return;
  if (step_.kind == run::StepKind::finish) {
    actions_.clear();
    at_ = now;
    return give({verdict(Outcome::error, reason_of(ErrorKind::cancelled))});
  }
  if (step_.kind != run::StepKind::activate || actions_.back().at < now + 500ms)
    return;
  const bool acknowledged = !random_.one_in(4);
  run::NodeResult result = acknowledged
                               ? verdict(Outcome::cancelled, event::reasons::left_to_target)
                               : verdict(Outcome::error, event::reasons::state_unknown);
  result.touched = true;
  result.rollback = acknowledged ? Rollback::none : Rollback::unknown;
  if (acknowledged)
    result.decides_by = "2026-11-22T12:00:00.000Z";
  actions_.clear();
  written_ = ended_;
  at_ = now + random_.up_to(900ms);
  close_stages(result.outcome, result.reason);
  give({result});
}

} // namespace belay::simulation
