// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/plan_file.h"
#include "engine/plan/resolve.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/plan_checks.h"

// `belay.yaml`. Whatever it says, joined with a flake of two nodes it is a plan or it has errors.

namespace belay::fuzz {

namespace {

constexpr std::string_view flake = R"({"generic": {"user": "root"}, "nodes": {
  "web-1": {"selected": true, "ok": true, "profileNames": ["system"], "value": {
    "hostname": "web-1.example", "profiles": {"system": {
      "path": "/nix/store/00000000000000000000000000000000-system", "context": {}}}}},
  "b": {"selected": true, "ok": false, "profileNames": ["system"], "error": "no"}}})";

} // namespace

void feed(std::string_view text) {
  const std::string name = "belay.yaml";
  plan::Diagnostics problems;
  const plan::PlanFile file = plan::parse_plan_file(text, name, problems);
  check_problems(problems);
  require(file.was_read || plan::has_errors(problems), "a file that was not read is an error");
  for (const plan::Diagnostic& problem : problems) {
    require(problem.file == name, "a problem names its file");
    require(problem.line >= 1 && problem.column >= 1, "a problem names its place");
  }

  plan::ResolveInput input;
  input.file = &file;
  input.targets = {plan::parse_target(".")};
  input.flakes = {plan::parse_flake_output(flake, ".", problems)};
  input.local_user = "me";
  check_plan(plan::resolve(input, problems), problems);
}

} // namespace belay::fuzz
