// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/clock.h"
#include "engine/event/event.h"
#include "engine/event/run_state.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

// Who is told. The fan-out folds each event once and hands event and state to every reporter, in
// one thread and one order. A reporter that throws is switched off and that is said once; it never
// disturbs the deploy or its neighbours.

namespace belay::reporters {

class Reporter {
public:
  virtual ~Reporter() = default;
  virtual std::string name() const = 0; ///< "junit out/junit.xml"
  /// `state` already holds `event`. Must not block: what is slow does it in a thread of its own.
  virtual void report(const event::Event& event, const event::RunState& state) = 0;
  /// After run.finished. Returns by `deadline`.
  virtual void finish(Instant deadline) { static_cast<void>(deadline); }
};

class FanOut final : public event::Sink {
public:
  /// `on_failure` is told, once for each, which reporter was switched off and why (for stderr).
  explicit FanOut(std::function<void(const std::string& message)> on_failure);
  void add(std::unique_ptr<Reporter> reporter);
  void on_event(const event::Event& event) override;
  void finish(Instant deadline);
  const event::RunState& state() const { return state_; }
  /// A reporter was switched off.
  bool failed() const { return failed_; }

private:
  struct Entry {
    std::unique_ptr<Reporter> reporter;
    bool on = true;
  };
  void guard(Entry& entry, const std::function<void()>& call);

  std::function<void(const std::string&)> on_failure_;
  std::vector<Entry> reporters_;
  event::RunState state_;
  bool failed_ = false;
};

} // namespace belay::reporters
