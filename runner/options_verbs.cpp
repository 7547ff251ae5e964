// SPDX-License-Identifier: Apache-2.0
#include "runner/options_flags.h"

#include <algorithm>
#include <array>

// The verbs, as their help shows them.

namespace belay::runner {

std::span<const VerbInfo> verbs() {
  static const std::array<VerbInfo, 5> table{{
      {Verb::run,
       "run",
       "[FLAGS] [TARGET…] [-- NIX ARGS…]",
       "evaluate, build, copy, activate and confirm",
       "Deploys the nodes that the targets name. Each target decides by itself: the new profile "
       "is\n"
       "kept only if a new login confirms it in time, else what ran before is brought back.",
       {"belay run                                    all nodes of the flake in this folder",
        "belay run .#web-1 .#db-1.system              one node, and one profile of another",
        "belay run '.#\"web.example.com\".system'       a name with dots, quoted for Nix",
        "belay run --plan ci/production.yaml --junit out/junit.xml --events out/events.jsonl",
        "belay run --on-failure continue --parallel 16 github:acme/infra",
        "belay run --plan-artifact plan.json          what belay plan wrote, and nothing else",
        "belay run . -- --option builders ''          arguments for nix eval and nix build"}},
      {Verb::plan,
       "plan",
       "[FLAGS] [TARGET…] [-- NIX ARGS…]",
       "print what run would do; touches no host",
       "Joins flake, plan file and flags as run does, and prints the result on stdout: nodes,\n"
       "profiles and every setting. Evaluates, but builds nothing and connects to nothing.",
       {"belay plan                                   a table for people",
        "belay plan --format json .#web-1             for programs",
        "belay plan --out plan.json                   to be reviewed, then deployed exactly"}},
      {Verb::check,
       "check",
       "[FLAGS] [TARGET…] [-- NIX ARGS…]",
       "print every problem of plan file and flake; touches no host",
       "Reads the plan file, evaluates the flake and prints every problem, one line each, on\n"
       "stderr: for a merge request's pipeline. Builds nothing, so that `nix flake check` is no "
       "part\n"
       "of it.",
       {"belay check", "belay check --plan ci/production.yaml"}},
      {Verb::report,
       "report",
       "--from FILE [--junit PATH]",
       "make the reports again from a saved event stream",
       "Reads the events of a run and makes from them what the run itself would have made, also\n"
       "where it was killed: JUnit, and the summary for people on stdout.",
       {"belay report --from out/events.jsonl --junit out/junit.xml"}},
      {Verb::schema,
       "schema",
       "plan|events",
       "print a JSON Schema",
       "Prints the JSON Schema (draft-07) of the plan file or of an event on stdout.",
       {"belay schema plan > belay.schema.json", "belay schema events"}},
  }};
  return table;
}

const VerbInfo& info_of(Verb verb) {
  return *std::find_if(verbs().begin(), verbs().end(),
                       [&](const VerbInfo& info) { return info.verb == verb; });
}

} // namespace belay::runner
