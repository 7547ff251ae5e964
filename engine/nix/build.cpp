// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/nix/build_failures.h"
#include "engine/nix/command.h"
#include "engine/nix/local_nix.h"
#include "engine/nix/log_follower.h"
#include "engine/nix/tunnel_client.h"
#include "engine/nix/validity.h"

#include <algorithm>

// A build's verdict is the validity of its own output and nothing else: `nix-store --realise -k`
// has one exit status for all goals, and Nix 2.8 leaves goals untried when it meets a derivation
// for a system that it cannot build. So what was neither built nor tried is given to Nix again, as
// long as each round settles something.

namespace belay::nix {

namespace {

std::vector<StorePath> outputs_of(const std::vector<BuildGoal>& goals) {
  std::vector<StorePath> outputs;
  for (const auto& goal : goals) {
    outputs.push_back(goal.output);
  }
  return outputs;
}

std::vector<StorePath> derivations_of(const std::vector<BuildGoal>& goals) {
  std::vector<StorePath> derivations;
  for (const auto& goal : goals) {
    derivations.push_back(goal.derivation);
  }
  return derivations;
}

/// What ended all builds at once; empty where each ended by itself.
std::string ended_by(const LogFollower& log, const ProcessResult& process) {
  return process.end == ProcessResult::End::exited ? log.general_errors()
                                                   : "nix-store " + process.describe();
}

/// Why a target cannot build this, where that is known before anything has gone over.
std::optional<std::string> unfit(const std::optional<std::string>& system,
                                 const std::vector<std::string>& systems) {
  if (!system || systems.empty() || *system == "builtin" ||
      std::find(systems.begin(), systems.end(), *system) != systems.end()) {
    return std::nullopt;
  }
  return "it is to be built for " + *system + ", and the Nix there builds for " +
         join(systems, ", ") +
         ": take remoteBuild off, or give that Nix extra-platforms or builders";
}

/// One call of build(): what is known of each goal while rounds go by.
class Build {
public:
  Build(ProcessRunner& runner, const std::vector<BuildGoal>& goals, const ProgressSink& sink,
        const Wait& wait, MakeProcess make = nix_process)
      : runner_(runner), goals_(goals), sink_(sink), wait_(wait), make_(std::move(make)),
        results_(goals.size()) {}

  std::vector<BuildResult> run(const std::vector<std::string>& arguments) {
    const auto before = valid_paths(runner_, outputs_of(goals_), wait_, make_);
    for (std::size_t at = 0; at < goals_.size(); ++at) {
      results_[at].valid = results_[at].cached = before[at];
      if (!before[at]) {
        pending_.push_back(at);
      }
    }
    while (!pending_.empty() && round(arguments)) {
    }
    return std::move(results_);
  }

private:
  std::vector<StorePath> pending_derivations() const {
    std::set<StorePath> unique;
    for (const std::size_t at : pending_) {
      unique.insert(goals_[at].derivation);
    }
    return {unique.begin(), unique.end()};
  }

  std::vector<StorePath> pending_outputs() const {
    std::vector<StorePath> outputs;
    for (const std::size_t at : pending_) {
      outputs.push_back(goals_[at].output);
    }
    return outputs;
  }

  /// Whether another round would make sense.
  bool round(const std::vector<std::string>& arguments) {
    const std::size_t before = pending_.size();
    const auto derivations = pending_derivations();
    std::set<std::string> names;
    for (const auto& derivation : derivations) {
      names.insert(derivation.string());
    }
    LogFollower log(sink_, std::move(names));
    ProcessResult process;
    for (const auto& batch : batches(derivations)) {
      process = realise(batch, arguments, log);
      if (process.end != ProcessResult::End::exited) {
        break; // killed: by the kernel for memory, most likely, and again if we went on
      }
    }
    settle(log);
    explain(log, process);
    if (process.end == ProcessResult::End::exited && pending_.size() < before) {
      return true;
    }
    give_up(log, process);
    return false;
  }

  ProcessResult realise(const std::vector<StorePath>& derivations,
                        const std::vector<std::string>& arguments, LogFollower& log) {
    std::vector<std::string> argv{"nix-store", "--realise", "--keep-going"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    argv.insert(argv.end(), {"--log-format", "internal-json"});
    for (const auto& derivation : derivations) {
      argv.push_back(derivation.string());
    }
    ProcessSpec spec = make_(std::move(argv));
    spec.on_stderr_line = [&log](std::string_view line) { log.take(line); };
    ProcessResult process = runner_.run(spec, wait_);
    throw_if_stopped(process, "the build");
    return process;
  }

  /// Takes out of pending_ what is valid now.
  void settle(const LogFollower& log) {
    const auto valid = valid_paths(runner_, pending_outputs(), wait_, make_);
    std::vector<std::size_t> still;
    for (std::size_t at = 0; at < pending_.size(); ++at) {
      const std::size_t goal = pending_[at];
      results_[goal].valid = valid[at];
      results_[goal].duration = took(log, goals_[goal].derivation.string());
      if (!valid[at]) {
        still.push_back(goal);
      }
      say_finished(log, goals_[goal].derivation.string(), valid[at]);
    }
    pending_ = std::move(still);
  }

  Duration took(const LogFollower& log, const std::string& derivation) const {
    return std::min(log.finished_at(derivation), BootClock::now()) - started_;
  }

  void say_finished(const LogFollower& log, const std::string& derivation, bool valid) {
    if (sink_ && log.started(derivation) && told_.insert(derivation).second) {
      sink_({.kind = Progress::Kind::build_finished,
             .derivation = derivation,
             .text = {},
             .ok = valid});
    }
  }

  /// Takes out of pending_ what has a known failure.
  void explain(const LogFollower& log, const ProcessResult& process) {
    std::vector<StorePath> failed;
    for (const std::size_t at : pending_) {
      failed.push_back(goals_[at].derivation);
    }
    const auto failures = failures_of(runner_, failed, log, ended_by(log, process), wait_);
    std::vector<std::size_t> still;
    for (std::size_t at = 0; at < pending_.size(); ++at) {
      if (!failures[at]) {
        still.push_back(pending_[at]);
        continue;
      }
      results_[pending_[at]].failed_derivation = failures[at]->derivation;
      results_[pending_[at]].error = failures[at]->message;
    }
    pending_ = std::move(still);
  }

  void give_up(const LogFollower& log, const ProcessResult& process) {
    std::string error = "nix-store " + process.describe() + " and left it unbuilt";
    if (const std::string said = log.errors(); !said.empty()) {
      error += ": " + said;
    }
    for (const std::size_t at : pending_) {
      results_[at].error = error;
    }
  }

  ProcessRunner& runner_;
  const std::vector<BuildGoal>& goals_;
  const ProgressSink& sink_;
  const Wait& wait_;
  const MakeProcess make_;
  const Instant started_ = BootClock::now();
  std::vector<BuildResult> results_;
  std::vector<std::size_t> pending_; ///< goals that are neither valid nor known to have failed
  std::set<std::string> told_;
};

} // namespace

std::vector<BuildResult> LocalNix::build(const std::vector<BuildGoal>& goals,
                                         const std::vector<std::string>& nix_arguments,
                                         const ProgressSink& sink, const Wait& wait) {
  roots_.add(derivations_of(goals), wait);
  auto results = Build(runner_, goals, sink, wait).run(build_arguments(nix_arguments));
  roots_.add(outputs_of(goals), wait);
  return results;
}

/// The derivations stay in the runner's store, too: it is there that failures are traced.
TargetBuildOutcome LocalNix::build_there(const TargetBuildRequest& request,
                                         const ProgressSink& sink, const Wait& wait) {
  const TunnelClient client(request.store_uri, sent_for_build(request.capacity));
  const MakeProcess make = [&client](auto argv) { return client.inside(std::move(argv)); };
  const std::vector<StorePath> output{request.goal.output};
  TargetBuildOutcome outcome;
  if (valid_paths(runner_, output, wait, make).front()) {
    outcome.result.valid = outcome.result.cached = true;
    return outcome;
  }
  if (auto problem = unfit(system_of(request.goal.derivation), request.capacity.systems)) {
    outcome.result.error = std::move(*problem);
    return outcome;
  }
  roots_.add(std::vector{request.goal.derivation}, wait);
  // Caches have no derivations: to have the target ask for each would cost more than to send it.
  outcome.sources = copy({.paths = {request.goal.derivation},
                          .store_uri = request.store_uri,
                          .substitute = false,
                          .check_signatures = request.check_signatures,
                          .derivations = true},
                         sink, wait);
  if (outcome.sources.process.succeeded()) {
    outcome.result = Build(runner_, {request.goal}, sink, wait, make).run({}).front();
  }
  return outcome;
}

} // namespace belay::nix
