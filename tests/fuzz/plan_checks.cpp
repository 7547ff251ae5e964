// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/plan_checks.h"

#include "engine/base/text.h"
#include "engine/plan/plan_json.h"
#include "tests/fuzz/fuzz_target.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace belay::fuzz {

namespace {

/// What is written down of a plan: no literal URL of a webhook, no line of the plan file.
plan::Plan written_part(plan::Plan plan) {
  std::erase_if(plan.webhooks,
                [](const plan::Webhook& webhook) { return webhook.url.has_value(); });
  for (plan::Webhook& webhook : plan.webhooks)
    webhook.line = 0;
  return plan;
}

bool is_unknown(const plan::Node& node) {
  return node.evaluation_error && !node.skip;
}

} // namespace

void check_problems(const plan::Diagnostics& problems) {
  for (const plan::Diagnostic& problem : problems) {
    const std::string line = problem.line_text();
    require(!problem.code.empty() && !problem.message.empty(), "a problem says what it is");
    require(line.find('\n') == std::string::npos, "a problem is one line");
    require(clean_text(line) == line, "a problem may be shown on a terminal");
  }
}

void check_plan(const plan::Plan& plan, const plan::Diagnostics& problems) {
  check_problems(problems);
  if (plan::has_errors(problems))
    return;
  require(!plan::plan_to_table(plan).empty(), "a plan has a table");
  plan::plan_to_toml(plan);
  if (std::any_of(plan.nodes.begin(), plan.nodes.end(), is_unknown))
    return; // nobody deploys it, and none is written down to be read again
  const plan::Plan part = written_part(plan);
  const std::string json = plan::to_json(part).dump();
  require(plan::plan_from_json(nlohmann::json::parse(json)) == part,
          "a plan is written and read as the same");
}

} // namespace belay::fuzz
