// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/nix/command.h"
#include "engine/nix/expression.h"
#include "engine/nix/internal_json.h"
#include "engine/nix/local_nix.h"
#include "engine/nix/log_follower.h"

#include <nlohmann/json.hpp>

namespace belay::nix {

namespace {

using nlohmann::json;

/// A node's JSON is about 1 KB with long sshOpts; this is room for 100,000 of them and more.
constexpr std::size_t largest_output = 512 << 20;
/// Asking for the message of one more failed node costs one more evaluation of it.
constexpr std::size_t explained_nodes = 3;

std::vector<std::string> evaluate_command(const EvaluateRequest& request,
                                          const std::string& expression) {
  auto argv = nix_command("eval");
  argv.insert(argv.end(), request.nix_arguments.begin(), request.nix_arguments.end());
  argv.insert(argv.end(), {"--json", "--log-format", "internal-json", "--apply", expression, "--",
                           request.flake + "#deploy"});
  return argv;
}

struct Evaluation {
  ProcessResult process;
  std::string error; ///< what Nix said, where it failed
};

Evaluation run_evaluation(ProcessRunner& runner, std::vector<std::string> argv,
                          const std::string& flake, const ProgressSink& sink, const Wait& wait) {
  LogFollower log(sink);
  ProcessSpec spec = nix_process(std::move(argv));
  spec.output_cap = largest_output;
  spec.term_grace = std::chrono::seconds(1); // a busy evaluator does not hear TERM; nothing is lost
  spec.on_stderr_line = [&log](std::string_view line) { log.take(line); };
  Evaluation evaluation;
  evaluation.process = runner.run(spec, wait);
  throw_if_stopped(evaluation.process, "evaluating " + flake);
  if (!evaluation.process.succeeded()) {
    evaluation.error = readable_error(log.errors());
  }
  return evaluation;
}

[[noreturn]] void fail(const std::string& flake, const Evaluation& evaluation) {
  const std::string& what = evaluation.error;
  std::string message = "evaluating " + flake + "#deploy: ";
  if (what.find("does not provide attribute") != std::string::npos) {
    message += "this flake has no `deploy` output (" + one_line(what) + ")";
  } else if (what.find("could not find a flake.nix") != std::string::npos) {
    message += "there is no flake.nix here or above (" + one_line(what) + ")";
  } else if (what.empty()) {
    message += "nix " + evaluation.process.describe() + " and said nothing";
  } else {
    message += what;
  }
  throw Error(ErrorKind::evaluation_failed, message);
}

json parse_output(const std::string& flake, const ProcessResult& process) {
  json output = process.truncated ? json() : json::parse(process.out, nullptr, false);
  if (!output.is_object()) {
    throw Error(ErrorKind::evaluation_failed,
                "evaluating " + flake + "#deploy: nix printed no JSON that we could read");
  }
  return output;
}

const json& member(const json& object, const char* name) {
  static const json nothing = json::object();
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_object() ? *found : nothing;
}

/// Every derivation in the context of some path.
std::vector<StorePath> derivations_in(const json& output) {
  std::vector<StorePath> derivations;
  for (const json& node : member(output, "nodes")) {
    for (const json& profile : member(member(node, "value"), "profiles")) {
      for (const auto& [path, context] : member(profile, "context").items()) {
        if (auto parsed = StorePath::parse(path); parsed && parsed->is_derivation()) {
          derivations.push_back(*parsed);
        }
      }
    }
  }
  return derivations;
}

} // namespace

std::string LocalNix::evaluate(const EvaluateRequest& request, const ProgressSink& sink,
                               const Wait& wait) {
  const auto evaluation = run_evaluation(
      runner_, evaluate_command(request, projection(request.selection)), request.flake, sink, wait);
  if (!evaluation.process.succeeded()) {
    fail(request.flake, evaluation);
  }
  json output = parse_output(request.flake, evaluation.process);
  roots_.add(derivations_in(output), wait);

  std::size_t explained = 0;
  for (auto& [name, node] : output["nodes"].items()) {
    if (node.value("ok", true) || explained++ >= explained_nodes) {
      continue;
    }
    const auto again = run_evaluation(
        runner_, evaluate_command(request, failing_projection(name, request.selection)),
        request.flake, {}, wait);
    node["error"] = again.error;
    if (sink) {
      sink({.derivation = {}, .text = "node " + one_line(name) + ": " + again.error});
    }
  }
  return output.dump();
}

} // namespace belay::nix
