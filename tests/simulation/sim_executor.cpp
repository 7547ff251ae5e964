// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/sim_executor.h"

#include <stdexcept>

namespace belay::simulation {

SimExecutor::SimExecutor(const Scenario& scenario, fakes::FakeClock& clock)
    : scenario_(scenario), clock_(clock), random_(~scenario.seed) {
  for (const Signal& signal : scenario.signals)
    signals_.emplace_back(clock.now() + signal.after, signal.number);
}

void SimExecutor::start(const run::Step& step) {
  const auto [entry, fresh] = steps_.try_emplace(step.id, scenario_.plan, step, scenario_.trouble,
                                                 Random(random_.next()), clock_.now());
  if (!fresh)
    throw std::logic_error("a step number was used twice");
  agenda_.emplace(entry->second.next_at(), step.id);
}

void SimExecutor::stop(run::Stop how) {
  agenda_.clear();
  for (auto& [id, step] : steps_) {
    step.stop(how, clock_.now());
    agenda_.emplace(step.next_at(), id);
  }
}

std::optional<Instant> SimExecutor::next_at() const {
  std::optional<Instant> next;
  if (!signals_.empty())
    next = signals_.front().first;
  if (!agenda_.empty() && (!next || agenda_.begin()->first < *next))
    next = agenda_.begin()->first;
  return next;
}

run::Occurrence SimExecutor::take_next() {
  if (!signals_.empty() && (agenda_.empty() || signals_.front().first <= agenda_.begin()->first)) {
    const int signal = signals_.front().second;
    signals_.pop_front();
    return run::Interrupt{signal};
  }
  const run::StepId id = agenda_.begin()->second;
  agenda_.erase(agenda_.begin());
  SimStep& step = steps_.at(id);
  run::Occurrence occurrence = step.take();
  if (step.over())
    steps_.erase(id);
  else
    agenda_.emplace(step.next_at(), id);
  return occurrence;
}

run::Occurrence SimExecutor::time_out(Instant wake_at) {
  if (agenda_.empty() && ++idle_timers_ > 3)
    throw std::runtime_error("stuck: nothing runs and nothing starts");
  if (wake_at <= clock_.now() && ++stale_timers_ > 100)
    throw std::runtime_error("spins: the loop asks to be woken in the past");
  clock_.set(wake_at);
  return run::Timer{};
}

run::Occurrence SimExecutor::wait(std::optional<Instant> wake_at) {
  const std::optional<Instant> next = next_at();
  if (!next && !wake_at)
    throw std::runtime_error("stuck: the loop waits for nothing");
  if (!next || (wake_at && *wake_at < *next))
    return time_out(*wake_at);
  clock_.set(*next);
  return take_next();
}

} // namespace belay::simulation
