// SPDX-License-Identifier: Apache-2.0
#include "engine/run/build_step.h"

#include "engine/agent/scripts.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/event/event_json.h"
#include "engine/event/streams.h"
#include "engine/run/build_report.h"
#include "engine/run/build_watch.h"

#include <functional>
#include <map>

namespace belay::run {

using event::Outcome;
using event::Stage;

namespace {

constexpr Duration build_limit = std::chrono::hours(24); // a CI job has a limit of its own
constexpr Duration query_limit = std::chrono::minutes(5);

/// One closure that somebody needs; several profiles may share it.
using Results = std::map<StorePath, nix::BuildResult>;

class BuildNodes {
public:
  BuildNodes(const BuildTools& tools, const plan::Plan& plan, StepContext& context)
      : tools_(tools), store_(tools.store), plan_(plan), context_(context) {}

  std::vector<NodeResult> run(const Step& step) {
    for (const auto index : step.nodes) {
      for_each_built_here(index, [&](const plan::Profile& profile) {
        tell(index, profile, event::StageStarted{}, event::Level::debug, {});
      });
    }
    try {
      build(step);
    } catch (Error& error) {
      fail_all(step, error);
      return std::move(node_results_);
    }
    for (const auto index : step.nodes) {
      conclude(index);
    }
    return std::move(node_results_);
  }

private:
  void for_each_built_here(NodeIndex index,
                           const std::function<void(const plan::Profile&)>& tell_of) const {
    for (const auto& profile : plan_.nodes[index].profiles) {
      if (!profile.remote_build) {
        tell_of(profile);
      }
    }
  }

  void build(const Step& step) {
    std::map<StorePath, std::optional<StorePath>> wanted; // path -> derivation
    for (const auto index : step.nodes) {
      for_each_built_here(index, [&](const plan::Profile& profile) {
        wanted.emplace(profile.path, profile.derivation);
      });
    }
    std::vector<nix::BuildGoal> goals;
    std::vector<StorePath> given, all;
    for (const auto& [path, derivation] : wanted) {
      if (derivation) {
        goals.push_back({*derivation, path});
        all.push_back(*derivation);
      } else {
        given.push_back(path);
      }
      all.push_back(path);
    }
    const Wait query = Wait::at_most(query_limit, context_.work());
    store_.root(all, query); // outputs that are there already must not go while others build
    if (!goals.empty()) {
      BuildWatch watch([this](const std::string& text) { tell_progress(text); });
      const auto results = store_.build(
          goals, tools_.nix_arguments,
          [&](const nix::Progress& progress) {
            watch.take(progress);
            log(progress);
          },
          Wait::at_most(build_limit, context_.work()));
      for (std::size_t i = 0; i < goals.size(); ++i) {
        results_.emplace(goals[i].output, results.at(i));
      }
    }
    if (!given.empty()) {
      const auto valid = store_.valid(given, query);
      for (std::size_t i = 0; i < given.size(); ++i) {
        nix::BuildResult result;
        result.valid = result.cached = valid.at(i);
        result.error = given[i].string() + " is not in the store and nothing says how to build it";
        results_.emplace(given[i], result);
      }
    }
    store_.root(all, query);
    tell_derivations(goals);
  }

  void tell_progress(const std::string& text) {
    context_.tell({event::LogLine{event::streams::progress, text, std::nullopt, true},
                   {{}, {}, Stage::build, 0},
                   event::Level::info,
                   {}});
  }

  void log(const nix::Progress& progress) {
    if (progress.kind != nix::Progress::Kind::log) {
      return;
    }
    event::Subject subject;
    subject.stage = Stage::build;
    for (auto& draft : event::split_log("build", progress.text, subject)) {
      context_.tell(std::move(draft));
    }
  }

  void tell_derivations(const std::vector<nix::BuildGoal>& goals) {
    for (const auto& goal : goals) {
      const auto& result = results_.at(goal.output);
      const auto done = build_finished(goal, result);
      context_.tell({done,
                     {{}, {}, Stage::build, 0},
                     result.valid ? event::Level::info : event::Level::error,
                     {}});
    }
  }

  void conclude(NodeIndex index) {
    NodeResult node;
    node.node = index;
    for_each_built_here(index, [&](const plan::Profile& profile) {
      const auto& result = results_.at(profile.path);
      event::StageFinished done;
      done.duration = BootClock::now() - started_;
      done.changed = !result.cached;
      std::string message;
      if (const auto problem = problem_of(profile, result)) {
        node.outcome = done.outcome = Outcome::failure;
        node.reason = done.reason = reason_of(*problem);
        node.message = message =
            explain(index, profile,
                    problem == ErrorKind::build_failed ? result.error : inert(profile.path));
      }
      if (const auto problem = message.empty() ? keep(index, profile) : std::nullopt) {
        node.outcome = done.outcome = Outcome::error;
        node.reason = done.reason = problem->reason();
        node.message = message = problem->message();
      }
      tell(index, profile, done, message.empty() ? event::Level::info : event::Level::error,
           message);
    });
    node_results_.push_back(std::move(node));
  }

  /// A closure that nothing activates is found here, before anything is copied for it; what cannot
  /// be looked into here, the agent looks into on the target.
  std::optional<ErrorKind> problem_of(const plan::Profile& profile,
                                      const nix::BuildResult& result) const {
    if (!result.valid) {
      return ErrorKind::build_failed;
    }
    const bool inert = store_.has_program(profile.path, agent::activation_programs()) == false;
    return inert ? std::optional(ErrorKind::no_activation) : std::nullopt;
  }

  static std::string inert(const StorePath& path) {
    return "nothing activates " + path.string() + ": it has neither " +
           join(agent::activation_programs(), " nor ") +
           "; make it with a function of lib.SYSTEM.activate";
  }

  /// What was asked to be kept and cannot be is no success.
  std::optional<Error> keep(NodeIndex index, const plan::Profile& profile) {
    if (!tools_.result_folder) {
      return std::nullopt;
    }
    try {
      store_.keep(profile.path,
                  result_link(*tools_.result_folder, plan_.nodes[index].name, profile.name),
                  Wait::at_most(query_limit, context_.work()));
      return std::nullopt;
    } catch (const Error& error) {
      return error;
    }
  }

  /// The first line is the message, the whole of it belongs to the node's log.
  std::string explain(NodeIndex index, const plan::Profile& profile, const std::string& error) {
    const event::Subject subject{plan_.nodes[index].name, profile.name, Stage::build, 0};
    for (auto& draft : event::split_log("build", error, subject, event::Level::error)) {
      context_.tell(std::move(draft));
    }
    return first_line_of(error);
  }

  void fail_all(const Step& step, const Error& error) {
    const auto outcome = error.kind() == ErrorKind::cancelled ? Outcome::cancelled : Outcome::error;
    for (const auto index : step.nodes) {
      for_each_built_here(index, [&](const plan::Profile& profile) {
        event::StageFinished done;
        done.outcome = outcome;
        done.reason = error.reason();
        tell(index, profile, done, event::Level::error, error.message());
      });
      NodeResult node;
      node.node = index;
      node.outcome = outcome;
      node.reason = error.reason();
      node.message = error.message();
      node_results_.push_back(std::move(node));
    }
  }

  void tell(NodeIndex index, const plan::Profile& profile, event::Payload payload,
            event::Level level, std::string message) {
    context_.tell({std::move(payload),
                   {plan_.nodes[index].name, profile.name, Stage::build, 0},
                   level,
                   std::move(message)});
  }

  const BuildTools& tools_;
  nix::NixStore& store_;
  const plan::Plan& plan_;
  StepContext& context_;
  Instant started_ = BootClock::now();
  Results results_;
  std::vector<NodeResult> node_results_;
};

/// Two names never become one.
std::string file_name_of(std::string_view name) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  const bool only_dots = name == "." || name == "..";
  std::string text = name.empty() ? "%" : "";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '/' || c == '%' || byte < 0x20 || byte == 0x7f || (only_dots && c == '.')) {
      text += {'%', digits[byte >> 4U], digits[byte & 0xfU]};
    } else {
      text += c;
    }
  }
  return text;
}

} // namespace

std::vector<NodeResult> build_nodes(const BuildTools& tools, const plan::Plan& plan,
                                    const Step& step, StepContext& context) {
  return BuildNodes(tools, plan, context).run(step);
}

std::filesystem::path result_link(const std::filesystem::path& folder, std::string_view node,
                                  std::string_view profile) {
  return folder / file_name_of(node) / file_name_of(profile);
}

} // namespace belay::run
