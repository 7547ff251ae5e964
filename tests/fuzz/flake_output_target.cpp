// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/plan/resolve.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/plan_checks.h"

// What an evaluation printed. It is refused whole, or it is a plan, or each thing that is wrong
// with it is named.

namespace belay::fuzz {

void feed(std::string_view text) {
  plan::Diagnostics problems;
  plan::ResolveInput input;
  try {
    input.flakes = {plan::parse_flake_output(text, ".", problems)};
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::evaluation_failed,
            "no JSON of that shape: evaluation_failed");
    return;
  }
  input.targets = {plan::parse_target(".")};
  input.local_user = "me";
  check_plan(plan::resolve(input, problems), problems);
}

} // namespace belay::fuzz
