// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/reporters/sample_events.h"

#include "engine/base/text.h"

namespace belay::test {

event::Event sample(event::Payload payload, event::Subject subject, std::string message,
                    std::uint64_t sequence) {
  event::Event event;
  event.sequence = sequence;
  event.time = *parse_time("2026-03-01T12:00:00.000Z");
  event.run = "0195510e-8c00-7000-8000-0123456789ab";
  event.message = message.empty() ? event::describe(payload, subject) : std::move(message);
  event.subject = std::move(subject);
  event.payload = std::move(payload);
  return event;
}

event::RunState folded(std::initializer_list<event::Event> events) {
  event::RunState state;
  for (const event::Event& event : events)
    event::fold(state, event);
  return state;
}

event::PlanResolved plan_of(std::initializer_list<std::string> nodes) {
  using event::Stage;
  event::PlanResolved plan;
  plan.parallel = 8;
  for (const std::string& node : nodes)
    plan.nodes.push_back(
        {node,
         node + ".internal",
         ".#" + node,
         {{"system",
           {Stage::build, Stage::copy, Stage::lock, Stage::activate, Stage::confirm, Stage::verify},
           "/nix/store/x"}}});
  return plan;
}

event::StageFinished stage_end(event::Outcome outcome, std::string reason) {
  event::StageFinished data;
  data.outcome = outcome;
  data.reason = std::move(reason);
  return data;
}

event::NodeFinished node_end(event::Outcome outcome, std::string reason) {
  event::NodeFinished data;
  data.outcome = outcome;
  data.reason = std::move(reason);
  return data;
}

} // namespace belay::test
