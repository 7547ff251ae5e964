// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/base/store_path.h"
#include "engine/base/text.h"
#include "engine/nix/build_failures.h"
#include "engine/nix/command.h"
#include "engine/nix/internal_json.h"
#include "engine/nix/local_nix.h"
#include "engine/nix/log_follower.h"
#include "engine/nix/source.h"

#include <algorithm>
#include <nlohmann/json.hpp>

// `nix flake check` says whether, and derivations at best; a person asks which check. So where one
// failed, Nix is asked once more: for the derivation of each attribute of `checks`, to find the
// ones that need what failed; or, where it did not come to a build, for the trace, whose words
// "while checking … 'ATTRIBUTE'" Nix 2.8 does not say unasked. What cannot be found out is left
// out: the message stands anyhow.

namespace belay::nix {

namespace {

using nlohmann::json;

/// Derivations of the checks of one system; a check that cannot be evaluated has none.
constexpr std::string_view derivations_of_checks =
    "checks: builtins.mapAttrs (_: check: let found = builtins.tryEval "
    "(builtins.unsafeDiscardStringContext (check.drvPath or null)); in "
    "if found.success then found.value else null) checks";

/// Said of every flake that is deployed; whoever reads it wonders what is wrong.
bool is_known_noise(std::string_view text) {
  return text.find("unknown flake output 'deploy'") != std::string_view::npos;
}

std::string name_of_derivation(const std::string& derivation) {
  const auto path = StorePath::parse(derivation);
  const std::string name(path ? path->name() : derivation);
  return name.ends_with(".drv") ? name.substr(0, name.size() - 4) : name;
}

/// The longest of the attributes that a trace says were checked: the innermost.
std::string attribute_in_trace(std::string_view text) {
  std::string found;
  constexpr std::string_view before = "while checking ";
  for (auto at = text.find(before); at != std::string_view::npos; at = text.find(before, at + 1)) {
    const auto line = text.substr(at, text.find('\n', at) - at);
    const auto open = line.find('\''), close = line.rfind('\'');
    if (open < close && close - open - 1 > found.size()) {
      found = line.substr(open + 1, close - open - 1);
    }
  }
  return found;
}

class Check {
public:
  Check(ProcessRunner& runner, const EvaluateRequest& request, const ProgressSink& sink,
        const Wait& wait)
      : runner_(runner), request_(request),
        source_(source_of(runner, request.kind, request.flake, sink, wait)), wait_(wait),
        log_([sink](const Progress& progress) {
          if (sink && !is_known_noise(progress.text)) {
            sink(progress);
          }
        }) {}

  std::vector<FailedCheck> run() {
    const auto result = follow(check_command(), &log_);
    return result.succeeded() ? std::vector<FailedCheck>() : explain(result);
  }

private:
  std::vector<std::string> check_command() const {
    if (source_.kind == plan::SourceKind::flake) {
      auto argv = nix_command("flake check");
      argv.insert(argv.end(), request_.nix_arguments.begin(), request_.nix_arguments.end());
      argv.insert(argv.end(), {"--log-format", "internal-json", "--", source_.name});
      return argv;
    }
    std::vector<std::string> argv{"nix-build", "--no-out-link"};
    const auto arguments = classic_arguments(request_.nix_arguments);
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    argv.insert(argv.end(), {"--log-format", "internal-json", "-E",
                             "let root = " + imported(source_) +
                                 "; in root.checks.${builtins.currentSystem} or { }"});
    return argv;
  }

  ProcessResult follow(std::vector<std::string> argv, LogFollower* log) {
    ProcessSpec spec = nix_process(std::move(argv));
    spec.on_stderr_line = [this, log](std::string_view line) {
      if (log != nullptr) {
        log->take(line);
      }
      auto named = attribute_in_trace(parse_log_line(line).text);
      if (named.size() > attribute_.size()) {
        attribute_ = std::move(named);
      }
    };
    ProcessResult result = runner_.run(spec, wait_);
    throw_if_stopped(result, "checking " + source_.name);
    return result;
  }

  std::vector<FailedCheck> explain(const ProcessResult& result) {
    std::vector<FailedCheck> failed;
    for (const auto& failure : log_.failures()) {
      if (!failure.derivation.empty()) {
        for (const auto& name : checks_that_need(failure.derivation)) {
          if (std::none_of(failed.begin(), failed.end(),
                           [&](const FailedCheck& known) { return known.name == name; })) {
            failed.push_back({name, with_log(failure, log_)});
          }
        }
      }
    }
    if (failed.empty()) {
      const std::string said = readable_error(log_.errors());
      failed.push_back({failing_attribute(), said.empty() ? result.describe() : said});
    }
    return failed;
  }

  /// Of the checks; where it is not known of any, the derivation itself has a name.
  std::vector<std::string> checks_that_need(const std::string& derivation) {
    std::vector<std::string> names;
    try {
      const auto affected = dependents(runner_, derivation, wait_);
      for (const auto& [name, path] : derivations().items()) {
        if (path.is_string() && affected.contains(path.get<std::string>())) {
          names.push_back("checks." + plan::nix_attribute(system_) + "." +
                          plan::nix_attribute(name));
        }
      }
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::cancelled) {
        throw;
      }
    }
    return names.empty() ? std::vector{name_of_derivation(derivation)} : names;
  }

  const json& derivations() {
    if (!derivations_) {
      system_ = trim(run_query(runner_,
                               nix_process({"nix-instantiate", "--eval", "--option", "pure-eval",
                                            "false", "-E", "builtins.currentSystem"}),
                               wait_, "asking Nix for its system"));
      std::erase(system_, '"');
      const auto answer = runner_.run(
          nix_process(evaluate_command(source_, "checks." + system_,
                                       std::string(derivations_of_checks), request_.nix_arguments)),
          wait_);
      derivations_ = json::parse(answer.out, nullptr, false);
    }
    return *derivations_;
  }

  std::string failing_attribute() {
    if (attribute_.empty() && source_.kind == plan::SourceKind::flake) {
      auto argv = check_command();
      argv.insert(std::prev(argv.end(), 2), {"--no-build", "--show-trace"});
      follow(std::move(argv), nullptr);
    }
    return attribute_;
  }

  ProcessRunner& runner_;
  const EvaluateRequest& request_;
  const Source source_;
  const Wait& wait_;
  LogFollower log_;
  std::string attribute_; ///< that a trace named
  std::string system_;
  std::optional<json> derivations_; ///< once something failed
};

} // namespace

std::vector<FailedCheck> LocalNix::check(const EvaluateRequest& request, const ProgressSink& sink,
                                         const Wait& wait) {
  return Check(runner_, request, sink, wait).run();
}

} // namespace belay::nix
