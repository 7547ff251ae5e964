// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/nix/command.h"
#include "engine/nix/expression.h"
#include "engine/nix/internal_json.h"
#include "engine/nix/local_nix.h"
#include "engine/nix/log_follower.h"
#include "engine/nix/source.h"

#include <nlohmann/json.hpp>

namespace belay::nix {

namespace {

using nlohmann::json;

/// A node's JSON is about 1 KB with long sshOpts; this is room for 100,000 of them and more.
constexpr std::size_t largest_output = 512 << 20;
/// Asking for the message of one more failed node costs one more evaluation of it.
constexpr std::size_t explained_nodes = 3;

struct Evaluation {
  ProcessResult process;
  std::string error; ///< what Nix said, where it failed
};

Evaluation run_evaluation(ProcessRunner& runner, std::vector<std::string> argv,
                          const std::string& what, const ProgressSink& sink, const Wait& wait) {
  LogFollower log(sink);
  ProcessSpec spec = nix_process(std::move(argv));
  spec.output_cap = largest_output;
  spec.term_grace = std::chrono::seconds(1); // a busy evaluator does not hear TERM; nothing is lost
  spec.on_stderr_line = [&log](std::string_view line) { log.take(line); };
  Evaluation evaluation;
  evaluation.process = runner.run(spec, wait);
  throw_if_stopped(evaluation.process, "evaluating " + what);
  if (!evaluation.process.succeeded()) {
    evaluation.error = readable_error(log.errors());
  }
  return evaluation;
}

[[noreturn]] void fail(const Source& source, const Evaluation& evaluation) {
  const std::string& what = evaluation.error;
  std::string message = "evaluating " + attribute_of(source, "deploy") + ": ";
  if (what.find("does not provide attribute") != std::string::npos) {
    message += "this flake has no `deploy` output (" + one_line(what) + ")";
  } else if (what.starts_with("attribute 'deploy' missing")) {
    message += "what this file holds has no `deploy` (" + one_line(what) + ")";
  } else if (what.find("could not find a flake.nix") != std::string::npos) {
    message += "there is no flake.nix here or above (" + one_line(what) + ")";
  } else if (what.empty()) {
    message += "nix " + evaluation.process.describe() + " and said nothing";
  } else {
    message += what;
  }
  throw Error(ErrorKind::evaluation_failed, message);
}

json parse_output(const Source& source, const ProcessResult& process) {
  json output = process.truncated ? json() : json::parse(process.out, nullptr, false);
  if (!output.is_object()) {
    throw Error(ErrorKind::evaluation_failed, "evaluating " + attribute_of(source, "deploy") +
                                                  ": nix printed no JSON that we could read");
  }
  return output;
}

const json& member(const json& object, const char* name) {
  static const json nothing = json::object();
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_object() ? *found : nothing;
}

/// What a run will need of the store: the profiles' paths, and the derivations in their context.
std::vector<StorePath> paths_in(const json& output) {
  std::vector<StorePath> paths;
  const auto add = [&paths](const std::string& text) {
    if (auto path = StorePath::parse(text)) {
      paths.push_back(std::move(*path));
    }
  };
  for (const json& node : member(output, "nodes")) {
    for (const json& profile : member(member(node, "value"), "profiles")) {
      if (profile.is_object() && profile.contains("path") && profile["path"].is_string()) {
        add(profile["path"].get<std::string>());
      }
      for (const auto& [path, context] : member(profile, "context").items()) {
        add(path);
      }
    }
  }
  return paths;
}

/// One call of evaluate().
class Evaluator {
public:
  Evaluator(ProcessRunner& runner, const EvaluateRequest& request, const ProgressSink& sink,
            const Wait& wait)
      : runner_(runner), request_(request),
        source_(source_of(runner, request.kind, request.flake, sink, wait)), sink_(sink),
        wait_(wait) {}

  json run() {
    auto evaluation = attempt(projection(request_.selection), sink_);
    if (!evaluation.process.succeeded() && is_partial(request_.selection)) {
      // It may be a node that nobody asked for, whose profiles we only wanted to name.
      evaluation = attempt(projection(request_.selection, Others::names_alone), {});
    }
    if (!evaluation.process.succeeded()) {
      fail(source_, evaluation);
    }
    json output = parse_output(source_, evaluation.process);
    explain_failed_nodes(output);
    return output;
  }

private:
  Evaluation attempt(const std::string& expression, const ProgressSink& sink) {
    return run_evaluation(runner_,
                          evaluate_command(source_, "deploy", expression, request_.nix_arguments),
                          source_.name, sink, wait_);
  }

  /// tryEval eats the message: a second evaluation, of that node alone, brings it.
  void explain_failed_nodes(json& output) {
    std::size_t explained = 0;
    for (auto& [name, node] : output["nodes"].items()) {
      if (node.value("ok", true) || explained++ >= explained_nodes) {
        continue;
      }
      const auto again = attempt(failing_projection(name, request_.selection), {});
      node["error"] = again.error;
      if (sink_) {
        sink_({.derivation = {}, .text = "node " + one_line(name) + ": " + again.error});
      }
    }
  }

  ProcessRunner& runner_;
  const EvaluateRequest& request_;
  const Source source_;
  const ProgressSink& sink_;
  const Wait& wait_;
};

} // namespace

std::string LocalNix::evaluate(const EvaluateRequest& request, const ProgressSink& sink,
                               const Wait& wait) {
  const json output = Evaluator(runner_, request, sink, wait).run();
  roots_.add(paths_in(output), wait);
  return output.dump();
}

} // namespace belay::nix
