// SPDX-License-Identifier: Apache-2.0
#include "runner/flake_checks.h"

#include "engine/base/error.h"
#include "engine/base/store_path.h"
#include "engine/base/text.h"
#include "engine/event/event_json.h"
#include "engine/event/streams.h"
#include "engine/run/build_watch.h"

#include <algorithm>
#include <memory>

namespace belay::runner {

using event::Outcome;
using event::Stage;

namespace {

constexpr Duration check_limit = std::chrono::hours(24); // as a build: a CI job has its own limit

event::Subject checks() {
  return {{}, {}, Stage::check, 0};
}

std::string line_of(const nix::Progress& progress) {
  if (progress.kind == nix::Progress::Kind::build_started) {
    const auto path = StorePath::parse(progress.derivation);
    return "building " + (path ? std::string(path->name()) : progress.derivation);
  }
  return progress.kind == nix::Progress::Kind::log ? progress.text : "";
}

event::Draft progress_line(std::string text) {
  return {event::LogLine{event::streams::progress, std::move(text), std::nullopt, true},
          checks(),
          event::Level::info,
          {}};
}

/// What a worker found out.
struct Found {
  std::vector<nix::FailedCheck> failed;
  std::string error; ///< the checks could not be made at all
};

void run_checks(nix::NixStore& store, const nix::EvaluateRequest& request,
                run::StepContext& context, Found& found) {
  run::BuildWatch watch([&](const std::string& text) { context.tell(progress_line(text)); });
  const auto tell = [&](const nix::Progress& progress) {
    watch.take(progress);
    if (const auto text = line_of(progress); !text.empty()) {
      for (auto& draft : event::split_log("nix", text, checks(), event::Level::debug)) {
        context.tell(std::move(draft));
      }
    }
  };
  try {
    found.failed = store.check(request, tell, Wait::at_most(check_limit, context.work()));
  } catch (const Error& error) {
    found.error = error.message();
  }
}

event::CheckFinished finished_of(const run::SingleStepEnd& end, const Found& found) {
  event::CheckFinished finished;
  if (end.stopped()) {
    finished.outcome = Outcome::cancelled;
    return finished;
  }
  std::vector<std::string> said;
  for (const auto& check : found.failed) {
    finished.outcome = Outcome::failure;
    if (!check.name.empty()) {
      finished.failed.push_back(check.name);
    }
    said.push_back(check.error);
  }
  for (const auto& error : {found.error, end.result.error}) {
    if (!error.empty()) {
      finished.outcome = Outcome::error;
      said.push_back(error);
    }
  }
  finished.error = join(said, "\n");
  return finished;
}

/// "checks.x86_64-linux.deploy-schema of . failed: builder for '…' failed with exit code 1"
std::string message_of(const event::CheckFinished& finished) {
  if (finished.outcome != Outcome::failure && finished.outcome != Outcome::error) {
    return {}; // the event describes itself
  }
  const auto first = finished.error.substr(0, finished.error.find('\n'));
  return (finished.failed.empty() ? "the checks" : join(finished.failed, ", ")) + " of " +
         finished.flake + " failed: " + first;
}

run::SingleStepEnd check_flake(RunFrame& frame, const nix::EvaluateRequest& request) {
  const auto started = frame.clock().now();
  frame.reports().emit(event::StageStarted{}, checks(), event::Level::debug);
  frame.reports().emitter().emit(progress_line("checking " + request.flake));
  const auto found = std::make_shared<Found>();
  const auto end = frame.work([request, &store = frame.store(), found](run::StepContext& context) {
    run_checks(store, request, context, *found);
  });
  auto finished = finished_of(end, end.left ? Found() : *found); // it may still be at it
  finished.flake = request.flake;
  finished.duration = frame.clock().now() - started;
  const bool good = finished.outcome == Outcome::success;
  auto message = message_of(finished);
  frame.reports().emit(std::move(finished), checks(),
                       good            ? event::Level::info
                       : end.stopped() ? event::Level::warn
                                       : event::Level::error,
                       std::move(message));
  return end;
}

} // namespace

bool check_flakes(RunFrame& frame, const std::vector<nix::EvaluateRequest>& requests) {
  for (const auto& request : requests) {
    if (check_flake(frame, request).stopped()) {
      return false;
    }
  }
  const auto& found = frame.reports().state().checks;
  return std::all_of(found.begin(), found.end(), [](const event::CheckState& check) {
    return check.finished.outcome == Outcome::success;
  });
}

} // namespace belay::runner
