// SPDX-License-Identifier: Apache-2.0
#include "runner/run_reports.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/event/run_state.h"
#include "reporters/jsonl.h"
#include "reporters/junit.h"
#include "reporters/text_log.h"
#include "reporters/webhook.h"
#include "reporters/webhook_signature.h"
#include "runner/console_choice.h"
#include "runner/webhook_secrets.h"

namespace belay::runner {

namespace {

// outputs: deliveries get 60 s after the run's end, 2 s when it was cancelled.
constexpr Duration finish_limit = std::chrono::seconds(60);
constexpr Duration cancelled_finish_limit = std::chrono::seconds(2);

} // namespace

RunReports::RunReports(const plan::Reports& reports, const std::vector<plan::Webhook>& webhooks,
                       const Environment& secrets, const Clock& clock,
                       std::function<void(event::Draft)> post)
    : clock_(clock), started_(clock.now()), fan_out_([this](const std::string& message) {
        console_->say("belay: " + one_line(message));
      }),
      emitter_(make_uuid_v7(clock.wall()), clock, fan_out_) {
  // The stream first: it is what all else can be made from again.
  if (reports.events) {
    fan_out_.add(std::make_unique<reporters::JsonlReporter>(*reports.events));
    artifacts_["events"] = *reports.events;
  }
  if (reports.junit) {
    fan_out_.add(std::make_unique<reporters::JunitReporter>(*reports.junit));
    artifacts_["junit"] = *reports.junit;
  }
  if (reports.log_folder) {
    const auto path = *reports.log_folder + "/belay-" + emitter_.run() + ".log";
    fan_out_.add(std::make_unique<reporters::TextLogReporter>(path));
    artifacts_["log"] = path;
  }
  if (reports.log_on_console) {
    fan_out_.add(std::make_unique<reporters::TextLogReporter>("fd:2"));
  }
  auto console = reporters::make_console_reporter(console_options(reports, environment_variable));
  console_ = console.get();
  fan_out_.add(std::move(console));
  add_webhooks(webhooks, secrets, post);
}

void RunReports::add_webhooks(const std::vector<plan::Webhook>& webhooks,
                              const Environment& secrets,
                              const std::function<void(event::Draft)>& post) {
  const auto seed = static_cast<std::uint64_t>(clock_.wall().time_since_epoch().count());
  for (const auto& webhook : webhooks) {
    try {
      const auto options = fetch_webhook(webhook, secrets);
      for (const auto& secret : options.secrets) {
        add_secret(reporters::webhook_key_text(secret)); // with what stands before it, or without
      }
      if (!webhook.url) {
        add_secret(options.url); // its path may be what makes it secret
      }
      fan_out_.add(std::make_unique<reporters::WebhookReporter>(
          options, reporters::real_webhook_world(seed, post)));
    } catch (Error& error) {
      problems_.push_back(
          std::move(error)); // told like any other problem, with the reports there are
    }
  }
}

void RunReports::add_secret(std::string_view secret) {
  emitter_.add_secret(secret);
  mask_.add(secret);
}

void RunReports::emit(event::Payload payload, event::Subject subject, event::Level level,
                      std::string message) {
  emitter_.emit({std::move(payload), std::move(subject), level, std::move(message)});
}

void RunReports::tell_end() {
  const auto verdict = event::judge(state());
  event::RunFinished finished;
  finished.outcome = verdict.outcome;
  finished.exit_code = verdict.exit_code;
  finished.reason = verdict.reason;
  finished.counts = verdict.counts;
  finished.duration = clock_.now() - started_;
  finished.artifacts = artifacts_;
  finished.nodes = verdict.nodes;
  exit_code_ = static_cast<event::ExitCode>(verdict.exit_code);
  emit(std::move(finished), {},
       verdict.outcome == event::Outcome::success ? event::Level::info : event::Level::error);
}

void RunReports::finish() {
  const bool cancelled = state().cancel.has_value();
  fan_out_.finish(clock_.now() + (cancelled ? cancelled_finish_limit : finish_limit));
}

} // namespace belay::runner
