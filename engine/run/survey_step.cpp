// SPDX-License-Identifier: Apache-2.0
#include "engine/run/survey_step.h"

#include "engine/base/error.h"
#include "engine/run/agent_choice.h"
#include "engine/run/stage_report.h"
#include "engine/run/store_work.h"

#include <algorithm>
#include <array>
#include <utility>

namespace belay::run {

using event::Stage;

namespace {

constexpr Duration answer_limit = std::chrono::seconds(60);

class SurveyNode {
public:
  SurveyNode(const CopyTools& tools, const plan::Node& node, NodeLink& link, StepContext& context)
      : tools_(tools), node_(node), link_(link), context_(context),
        stages_(context, node, StepKind::copy) {}

  NodeResult run(NodeIndex index) {
    NodeResult result;
    result.node = index;
    try {
      for (const auto& profile : node_.profiles) {
        at_ = &profile;
        look_at(link_.connection_by(profile.login));
      }
      stages_.forget();
    } catch (Error& error) {
      link_.drop();
      result.outcome = outcome_of(error);
      result.reason = error.reason();
      result.message = error.message();
      stages_.start(*at_, Stage::copy);
      stages_.fail_running(result.outcome, result.reason, result.message);
    }
    return result;
  }

private:
  void look_at(WorkingConnection& connection) {
    if (connection.session) {
      return; // another profile has the same login
    }
    connect_to_work(
        tools_.contact, node_, connection,
        [this](const ssh::RetryNotice& notice) { tell_retry(notice); }, context_.work());
    const auto system = look_for_agent(tools_.agents, node_, connection,
                                       Wait::at_most(answer_limit, context_.work()));
    for (const auto& profile : node_.profiles) {
      if (profile.login == connection.login && profile.derivation && !profile.remote_build) {
        compare(system, profile);
      }
    }
  }

  void compare(const std::string& system, const plan::Profile& profile) {
    const auto built_as = tools_.store.system_of(*profile.derivation);
    if (!built_as || runs(system, *built_as)) {
      return;
    }
    event::LogLine line;
    line.stream = "agent";
    line.text = "the target says that it is " + system +
                ", and what it is to be given is built as " + *built_as +
                ": right where that is cross-compiled, or runs everywhere";
    context_.tell({std::move(line), {node_.name, profile.name, {}}, event::Level::warn, {}});
  }

  /// Of a stage that has not begun: it begins when something is copied.
  void tell_retry(const ssh::RetryNotice& notice) {
    context_.tell({event::StageRetrying{notice.attempt, notice.max, notice.delay, notice.reason},
                   {node_.name, at_->name, Stage::copy},
                   event::Level::warn,
                   {}});
  }

  const CopyTools& tools_;
  const plan::Node& node_;
  NodeLink& link_;
  StepContext& context_;
  NodeStages stages_;
  const plan::Profile* at_ = nullptr;
};

} // namespace

NodeResult survey_node(const CopyTools& tools, const plan::Node& node, NodeIndex index,
                       NodeLink& link, StepContext& context) {
  return SurveyNode(tools, node, link, context).run(index);
}

bool runs(std::string_view system, std::string_view other) {
  using Pair = std::pair<std::string_view, std::string_view>;
  static constexpr std::array<Pair, 4> also = {{{"x86_64-linux", "i686-linux"},
                                                {"aarch64-linux", "armv7l-linux"},
                                                {"aarch64-linux", "armv6l-linux"},
                                                {"aarch64-darwin", "x86_64-darwin"}}};
  return system == other || other == "builtin" ||
         std::find(also.begin(), also.end(), Pair(system, other)) != also.end();
}

} // namespace belay::run
