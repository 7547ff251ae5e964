// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/clock.h"
#include "engine/base/error.h"
#include "engine/event/event.h"
#include "engine/event/exit_code.h"
#include "engine/event/secret_mask.h"
#include "engine/plan/plan.h"
#include "reporters/console.h"
#include "reporters/reporter.h"
#include "runner/ci_context.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

// The reports of one run: every output is opened before anything has an effect, so that a path that
// cannot be written is a wrong command line and not a lost report. From the first event to the exit
// code everything goes through here.

namespace belay::runner {

class RunReports {
public:
  /// `secrets` has the variables that hold the webhooks' secrets. `post` takes what a reporter
  /// wants told (webhook.delivered) from any thread; it may be called only between the first event
  /// and finish(). Throws Error{usage} for an output that cannot be opened, Error{secret} for a
  /// webhook's secret that is not there.
  RunReports(const plan::Reports& reports, const std::vector<plan::Webhook>& webhooks,
             const Environment& secrets, const Clock& clock,
             std::function<void(event::Draft)> post);

  /// What is to be hidden from here on in all that is told and said.
  void add_secret(std::string_view secret);

  /// What is wrong with webhooks (a secret that is not there): for the first events.
  const std::vector<Error>& problems() const { return problems_; }

  event::Emitter& emitter() { return emitter_; }
  const event::RunState& state() const { return fan_out_.state(); }
  void emit(event::Payload payload, event::Subject subject = {},
            event::Level level = event::Level::info, std::string message = {});

  /// A line on the console alone, for a person who is asked something.
  void say(const std::string& line) { console_->say(mask_.apply(line)); }

  /// Judges and tells run.finished: from then on what is written to files is complete.
  void tell_end();
  event::ExitCode exit_code() const { return exit_code_; } ///< after tell_end()
  /// Gives the reporters that still have to deliver their time.
  void finish();

private:
  void add_webhooks(const std::vector<plan::Webhook>& webhooks, const Environment& secrets,
                    const std::function<void(event::Draft)>& post);

  const Clock& clock_;
  Instant started_;
  event::ExitCode exit_code_ = event::ExitCode::internal;
  std::map<std::string, std::string> artifacts_;
  std::vector<Error> problems_;
  reporters::Console* console_ = nullptr; ///< the fan-out's
  reporters::FanOut fan_out_;
  event::Emitter emitter_;
  event::SecretMask mask_; ///< of what is only said
};

} // namespace belay::runner
