// SPDX-License-Identifier: Apache-2.0
#include "engine/run/loop.h"

#include "engine/base/process.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace belay::run {

namespace {

/// What is taken at most before leaving: chatty steps must not keep us.
constexpr std::size_t leave_limit = 100'000;

/// Says who is being worked on, every heartbeat_period.
class Heart {
public:
  Heart(const plan::Plan* plan, Instant now) : plan_(plan), next_(now + heartbeat_period) {}

  void started(const Step& step) { running_[step.id] = step.nodes; }
  void ended(StepId id) { running_.erase(id); }
  Instant next() const { return next_; }

  void beat_if_due(Instant now, event::Emitter& emitter) {
    if (now < next_)
      return;
    next_ = now + heartbeat_period;
    emitter.emit({event::Heartbeat{names()}, {}, event::Level::debug, {}});
  }

private:
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& [id, nodes] : running_)
      for (std::size_t i = 0; i < nodes.size() && names.size() < heartbeat_names; ++i)
        names.push_back(plan_->nodes[nodes[i]].name);
    return names;
  }

  const plan::Plan* plan_; ///< null before there is one: then steps have no nodes
  Instant next_;
  std::map<StepId, std::vector<NodeIndex>> running_;
};

/// `signal` 0: the deadline has passed.
void tell_cancel(int signal, std::string policy, event::Emitter& emitter) {
  event::CancelRequested request;
  request.source = signal == 0 ? event::cancel_sources::timeout : event::cancel_sources::signal;
  request.signal = signal == 0 ? "" : signal_name(signal);
  request.policy = std::move(policy);
  emitter.emit({std::move(request), {}, event::Level::warn, {}});
}

class Loop {
public:
  Loop(const plan::Plan& plan, Scheduler& scheduler, Executor& executor, event::Emitter& emitter,
       const Clock& clock, Instant deadline)
      : plan_(plan), scheduler_(scheduler), executor_(executor), emitter_(emitter), clock_(clock),
        deadline_(deadline), heart_(&plan, clock.now()) {}

  LoopEnd run() {
    expire_if_due();
    start_what_can();
    while (!scheduler_.done()) {
      Occurrence occurrence = executor_.wait(wake_at());
      std::visit([this](auto& what) { take(what); }, occurrence);
      if (end_.left) {
        leave();
        break;
      }
      expire_if_due();
      abandon_if_due();
      heart_.beat_if_due(clock_.now(), emitter_);
      start_what_can();
    }
    return end_;
  }

private:
  void start_what_can() {
    while (auto step = scheduler_.next(clock_.now())) {
      heart_.started(*step);
      executor_.start(*step);
    }
  }

  Instant wake_at() const {
    Instant wake = heart_.next();
    if (const auto when = scheduler_.wake_at(clock_.now()))
      wake = std::min(wake, *when);
    if (!is_stopping())
      wake = std::min(wake, deadline_);
    if (!abandoned_)
      wake = std::min(wake, scheduler_.abandon_at().value_or(wake));
    return wake;
  }

  void take(StepOutput& output) { emitter_.emit(std::move(output.draft)); }

  void take(const StepResult& result) {
    heart_.ended(result.id);
    scheduler_.finished(result, clock_.now());
  }

  void take(const Interrupt& interrupt) {
    if (end_.signal != 0) {
      end_.left = true;
      return;
    }
    end_.signal = interrupt.signal;
    stop(interrupt.signal);
  }

  bool is_stopping() const { return end_.signal != 0 || end_.expired; }

  void expire_if_due() {
    if (is_stopping() || clock_.now() < deadline_)
      return;
    end_.expired = true;
    stop(0);
  }

  void stop(int signal) {
    tell_cancel(signal, "grace " + std::to_string(plan_.policy.grace.count()) + " s", emitter_);
    executor_.stop(Stop::work);
    scheduler_.cancel(clock_.now());
  }

  void take(const Timer&) {}

  /// What has already happened is taken; what has not is told as far as it is known.
  void leave() {
    for (std::size_t rounds = 0; rounds < leave_limit; ++rounds) {
      Occurrence occurrence = executor_.wait(clock_.now());
      if (std::holds_alternative<Timer>(occurrence))
        break;
      if (!std::holds_alternative<Interrupt>(occurrence))
        std::visit([this](auto& what) { take(what); }, occurrence);
    }
    scheduler_.leave(clock_.now());
  }

  void abandon_if_due() {
    const auto when = scheduler_.abandon_at();
    if (abandoned_ || !when || clock_.now() < *when)
      return;
    abandoned_ = true;
    executor_.stop(Stop::abandon);
  }

  const plan::Plan& plan_;
  Scheduler& scheduler_;
  Executor& executor_;
  event::Emitter& emitter_;
  const Clock& clock_;
  const Instant deadline_;
  Heart heart_;
  LoopEnd end_;
  bool abandoned_ = false;
};

} // namespace

LoopEnd run_loop(const plan::Plan& plan, Scheduler& scheduler, Executor& executor,
                 event::Emitter& emitter, const Clock& clock, Instant deadline) {
  return Loop(plan, scheduler, executor, emitter, clock, deadline).run();
}

SingleStepEnd run_single_step(const Step& step, Executor& executor, event::Emitter& emitter,
                              const Clock& clock, Instant deadline) {
  SingleStepEnd end;
  Heart heart(nullptr, clock.now());
  executor.start(step);
  while (true) {
    Occurrence occurrence =
        executor.wait(end.stopped() ? heart.next() : std::min(heart.next(), deadline));
    heart.beat_if_due(clock.now(), emitter);
    if (auto* output = std::get_if<StepOutput>(&occurrence)) {
      emitter.emit(std::move(output->draft));
    } else if (const auto* interrupt = std::get_if<Interrupt>(&occurrence)) {
      if (std::exchange(end.signal, end.signal != 0 ? end.signal : interrupt->signal) != 0) {
        end.left = true;
        return end;
      }
      tell_cancel(interrupt->signal, "at once", emitter);
      executor.stop(Stop::work);
    } else if (auto* result = std::get_if<StepResult>(&occurrence);
               result != nullptr && result->id == step.id) {
      end.result = std::move(*result);
      return end;
    }
    if (!end.stopped() && clock.now() >= deadline) {
      end.expired = true;
      tell_cancel(0, "at once", emitter);
      executor.stop(Stop::work);
    }
  }
}

} // namespace belay::run
