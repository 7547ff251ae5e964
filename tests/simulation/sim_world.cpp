// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/sim_step.h"

#include "engine/base/error.h"

#include <algorithm>
#include <string>
#include <utility>

namespace belay::simulation {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using event::Rollback;
using event::Stage;

namespace {

event::LogLine agent_log(std::string text) {
  event::LogLine line;
  line.stream = "agent";
  line.text = std::move(text);
  return line;
}

} // namespace

/// A host that is found not to be one for this run: its Copy ends before anything was built.
void SimStep::survey() {
  cover();
  after(random_.one_in(30) ? 60s : 2s);
  if (!trouble() || !trouble())
    return give({verdict(Outcome::success)});
  turn_down(Outcome::error,
            reason_of(random_.one_in(2) ? ErrorKind::unreachable : ErrorKind::agent_missing),
            event::reasons::not_reached);
}

void SimStep::turn_down(Outcome outcome, std::string_view reason, std::string_view rest) {
  const auto copy = std::find_if(covered_.begin(), covered_.end(),
                                 [](const StageKey& key) { return key.stage == Stage::copy; });
  begin(*copy);
  end(*copy, outcome, reason);
  skip_rest(rest);
  give({verdict(outcome, reason)});
}

void SimStep::build() {
  cover();
  for (const StageKey& key : covered_)
    begin(key);
  const auto is_built_here = [&](run::NodeIndex node) {
    return std::any_of(covered_.begin(), covered_.end(),
                       [&](const StageKey& key) { return key.node == node; });
  };
  // A step that does not say how it went, and has told a stage of each node.
  const bool forgets = random_.one_in(50) && trouble() &&
                       std::all_of(step_.nodes.begin(), step_.nodes.end(), is_built_here);
  for (const run::NodeIndex node : step_.nodes) {
    after(500ms);
    const bool failed = trouble() && trouble() && is_built_here(node);
    run::NodeResult result =
        failed ? verdict(Outcome::failure, reason_of(ErrorKind::build_failed)) : verdict({});
    if (forgets)
      result = verdict(Outcome::error, reason_of(ErrorKind::internal));
    result.node = node;
    for (const StageKey& key : covered_)
      if (key.node == node)
        end(key, result.outcome, result.reason);
    results_.push_back(std::move(result));
  }
  give(forgets ? std::vector<run::NodeResult>{} : results_);
}

void SimStep::copy() {
  cover();
  for (const Stage stage : {Stage::build, Stage::copy, Stage::lock})
    for (const StageKey& key : covered_) {
      if (key.stage != stage)
        continue;
      begin(key);
      after(stage == Stage::lock ? 200ms : 4000ms);
      if (!trouble()) {
        end(key, Outcome::success);
        continue;
      }
      const ErrorKind kind = stage == Stage::lock    ? ErrorKind::lock_held
                             : random_.one_in(2)     ? ErrorKind::unreachable
                             : stage == Stage::build ? ErrorKind::build_failed
                                                     : ErrorKind::copy_failed;
      const Outcome outcome = kind == ErrorKind::build_failed ? Outcome::failure : Outcome::error;
      end(key, outcome, reason_of(kind));
      skip_rest(event::reasons::not_reached);
      return give({verdict(outcome, reason_of(kind))});
    }
  give({verdict(Outcome::success)});
}

void SimStep::activate() {
  cover();
  run::NodeResult result = verdict(Outcome::success);
  for (std::size_t i = 0; i < plan_.nodes[result.node].profiles.size(); ++i)
    if (!activate_profile(i, result))
      break;
  skip_rest(event::reasons::not_reached);
  give({result});
}

bool SimStep::activate_profile(std::size_t profile, run::NodeResult& result) {
  for (const StageKey& key : covered_) {
    if (key.profile != profile)
      continue;
    begin(key);
    after(random_.one_in(30) ? 300s : 5s);
    if (trouble()) {
      fail_activation(key, result);
      return false;
    }
    end(key, Outcome::success);
  }
  result.touched = result.confirmed = result.changed = true;
  result.generation_after = 42;
  return true;
}

/// One of the ways in which an activation goes wrong. The target takes back this node's earlier
/// profiles, too. One that fails its verification is confirmed and somebody else's by now: it
/// stays.
void SimStep::fail_activation(const StageKey& key, run::NodeResult& result) {
  const bool prepared_only = key.stage == Stage::activate && key.profile == 0 && random_.one_in(3);
  if (prepared_only) {
    result.outcome = Outcome::error;
    result.reason = reason_of(ErrorKind::unreachable);
    return end(key, result.outcome, result.reason);
  }
  result.touched = true;
  const std::size_t how = random_.below(10);
  result.outcome = how < 8 ? Outcome::failure : Outcome::error;
  result.rollback = how < 8 ? Rollback::succeeded : how == 8 ? Rollback::failed : Rollback::unknown;
  result.reason = how == 8 ? event::reasons::rollback_failed : event::reasons::state_unknown;
  if (how < 8)
    result.reason = key.stage == Stage::activate  ? event::reasons::activation_failed
                    : key.stage == Stage::confirm ? event::reasons::confirm_timeout
                                                  : event::reasons::verify_failed;
  const bool stays = how < 8 && key.stage == Stage::verify;
  const bool left_as_it_is =
      how < 8 && !plan_.nodes[result.node].profiles[key.profile].auto_rollback;
  if (left_as_it_is || (stays && key.profile == 0))
    result.rollback = Rollback::none;
  if (how < 8 && !left_as_it_is)
    result.confirmed = result.changed = stays;
  end(key, result.outcome, result.reason);
  if (result.rollback == Rollback::succeeded)
    for (std::size_t i = key.profile + (stays ? 0 : 1); i-- > 0;)
      tell_rolled_back(result.node, i,
                       i == key.profile ? event::RollbackTrigger::activation
                                        : event::RollbackTrigger::profile_failed);
}

void SimStep::roll_back() {
  run::NodeResult result = verdict(Outcome::failure, event::reasons::rolled_back);
  result.touched = true;
  const std::size_t how = trouble() ? random_.below(3) : 3;
  constexpr Rollback ends[] = {Rollback::failed, Rollback::unknown, Rollback::none,
                               Rollback::succeeded};
  const std::string_view reasons[] = {event::reasons::rollback_failed,
                                      event::reasons::state_unknown, event::reasons::superseded,
                                      event::reasons::rolled_back};
  result.rollback = ends[how];
  result.reason = reasons[how];
  if (how < 3)
    result.outcome = Outcome::error;
  for (std::size_t i = plan_.nodes[result.node].profiles.size(); i-- > 0;) {
    if (!plan_.nodes[result.node].profiles[i].auto_rollback)
      continue;
    const StageKey key{result.node, i, Stage::rollback};
    begin(key);
    after(5s);
    end(key, how == 3 ? Outcome::success : Outcome::error, how == 3 ? "" : reasons[how]);
    if (how == 3)
      tell_rolled_back(result.node, i, event::RollbackTrigger::run_failed);
  }
  give({result});
}

void SimStep::finish() {
  tell(step_.nodes.front(), "", agent_log("finish"));
  after(300ms);
  give({trouble() ? verdict(Outcome::error, reason_of(ErrorKind::unreachable)) : verdict({})});
}

} // namespace belay::simulation
