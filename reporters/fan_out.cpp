// SPDX-License-Identifier: Apache-2.0
#include "reporters/reporter.h"

#include <exception>
#include <utility>

namespace belay::reporters {

FanOut::FanOut(std::function<void(const std::string& message)> on_failure)
    : on_failure_(std::move(on_failure)) {}

void FanOut::add(std::unique_ptr<Reporter> reporter) {
  reporters_.push_back({std::move(reporter), true});
}

void FanOut::on_event(const event::Event& event) {
  event::fold(state_, event);
  for (Entry& entry : reporters_)
    guard(entry, [&] { entry.reporter->report(event, state_); });
}

void FanOut::finish(Instant deadline) {
  for (Entry& entry : reporters_)
    guard(entry, [&] { entry.reporter->finish(deadline); });
}

void FanOut::guard(Entry& entry, const std::function<void()>& call) {
  if (!entry.on)
    return;
  std::string why;
  try {
    call();
    return;
  } catch (const std::exception& error) {
    why = error.what();
  } catch (...) {
    why = "unknown error";
  }
  entry.on = false;
  failed_ = true;
  if (on_failure_)
    on_failure_("reporter " + entry.reporter->name() + " was switched off: " + why);
}

} // namespace belay::reporters
