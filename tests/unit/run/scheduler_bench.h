// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/run/scheduler.h"
#include "tests/catch.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/plans.h"

#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <vector>

// A scheduler on a bench: the test plays the loop and the world, and reads what was told.

namespace belay::run {

struct TellingSink final : DraftSink {
  void tell(event::Draft draft) override { drafts.push_back(std::move(draft)); }
  std::vector<event::Draft> drafts;
};

inline NodeResult result_of(NodeIndex node, event::Outcome outcome = event::Outcome::success,
                            std::string reason = {}) {
  NodeResult result;
  result.node = node;
  result.outcome = outcome;
  result.reason = std::move(reason);
  return result;
}

/// An activation that went well.
inline NodeResult activated(NodeIndex node) {
  NodeResult result = result_of(node);
  result.changed = result.touched = result.confirmed = true;
  result.generation_after = 42;
  return result;
}

/// An activation that its target rolled back.
inline NodeResult activation_failed(NodeIndex node) {
  NodeResult result = result_of(node, event::Outcome::failure, "activation-failed");
  result.touched = true;
  result.rollback = event::Rollback::succeeded;
  return result;
}

struct Bench {
  explicit Bench(plan::Plan the_plan)
      : plan(std::move(the_plan)), scheduler(plan, clock.now(), sink) {}

  /// Starts all that can start; returns what that was, as "copy node-1". Each Survey ends well at
  /// once and is not mentioned, unless the test surveys by itself.
  std::vector<std::string> start() {
    std::vector<std::string> started;
    while (auto step = scheduler.next(clock.now())) {
      if (step->kind == StepKind::survey && !surveys) {
        scheduler.finished({step->id, {result_of(step->nodes.front())}, {}}, clock.now());
        continue;
      }
      std::string text(name_of(step->kind));
      for (const NodeIndex node : step->nodes)
        text += " " + plan.nodes[node].name;
      running[text] = *step;
      started.push_back(std::move(text));
    }
    return started;
  }

  void finish(const std::string& text, std::vector<NodeResult> results) {
    const auto found = running.find(text);
    REQUIRE(found != running.end());
    const Step step = found->second;
    running.erase(found);
    scheduler.finished({step.id, std::move(results), {}}, clock.now());
  }
  void finish(const std::string& text, NodeResult result) {
    finish(text, std::vector<NodeResult>{std::move(result)});
  }

  /// Everything that runs ends well, again and again, until nothing runs or `stop_at` would.
  void run_well(std::optional<StepKind> stop_at = {}) {
    start();
    while (true) {
      const auto next = std::find_if(running.begin(), running.end(), [&](const auto& entry) {
        return entry.second.kind != stop_at;
      });
      if (next == running.end())
        return;
      std::vector<NodeResult> results;
      for (const NodeIndex node : next->second.nodes)
        results.push_back(next->second.kind == StepKind::activate ? activated(node)
                                                                  : result_of(node));
      finish(std::string(next->first), std::move(results));
      start();
    }
  }

  /// node.finished of a node, which there must be exactly one of.
  event::NodeFinished ended(const std::string& node) const {
    std::vector<event::NodeFinished> all;
    for (const event::Draft& draft : sink.drafts)
      if (const auto* finished = std::get_if<event::NodeFinished>(&draft.payload))
        if (draft.subject.node == node)
          all.push_back(*finished);
    INFO(node);
    REQUIRE(all.size() == 1);
    return all.front();
  }
  bool has_ended(const std::string& node) const {
    return std::any_of(sink.drafts.begin(), sink.drafts.end(), [&](const event::Draft& draft) {
      return std::holds_alternative<event::NodeFinished>(draft.payload) &&
             draft.subject.node == node;
    });
  }
  /// "outcome/reason/rollback" of each node, in the plan's order.
  std::vector<std::string> verdicts() const {
    std::vector<std::string> all;
    for (const plan::Node& node : plan.nodes) {
      const event::NodeFinished verdict = ended(node.name);
      all.push_back(std::string(event::name_of(verdict.outcome)) + "/" + verdict.reason + "/" +
                    std::string(event::name_of(verdict.rollback)));
    }
    return all;
  }

  bool surveys = false; ///< the test answers each Survey
  fakes::FakeClock clock;
  plan::Plan plan;
  TellingSink sink;
  Scheduler scheduler;
  std::map<std::string, Step> running;
};

using Texts = std::vector<std::string>;

} // namespace belay::run
