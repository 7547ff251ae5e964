// SPDX-License-Identifier: Apache-2.0
#include "engine/run/step_runner.h"

#include "engine/base/error.h"
#include "engine/base/thread.h"
#include "engine/run/activate_step.h"
#include "engine/run/build_step.h"
#include "engine/run/copy_step.h"
#include "engine/run/survey_step.h"

#include <algorithm>

namespace belay::run {

namespace {

constexpr Duration look_interval = std::chrono::seconds(5);
constexpr std::size_t most_pingers = 8;

} // namespace

StepRunner::StepRunner(const plan::Plan& plan, ssh::Transport& transport, nix::NixStore& store,
                       AgentFinder& agents, StepRunnerOptions options)
    : plan_(plan), store_(store), agents_(agents),
      options_(std::move(options)), contact_{transport,
                                             options_.run,
                                             options_.holder_url,
                                             options_.patience,
                                             options_.passwords,
                                             std::make_shared<LockPatience>(plan.policy.lock_wait,
                                                                            options_.run),
                                             std::make_shared<PasswordOffers>()} {
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    links_.push_back(std::make_unique<NodeLink>());
  }
  try {
    for (std::size_t i = 0; i < std::min(most_pingers, links_.size()); ++i) {
      pingers_.push_back(
          start_thread("keeping in touch with the targets", [this, i] { ping_links(i); }));
    }
  } catch (...) { // those that run must not outlive us
    stop_pinging();
    throw;
  }
}

StepRunner::~StepRunner() {
  stop_pinging();
}

void StepRunner::stop_pinging() {
  closing_.cancel();
  for (auto& pinger : pingers_) {
    pinger.join();
  }
}

StepResult StepRunner::run(const Step& step, StepContext& context) {
  StepResult result;
  result.id = step.id;
  if (step.kind == StepKind::build) {
    result.nodes =
        build_nodes({store_, options_.nix_arguments, options_.result_folder}, plan_, step, context);
  } else {
    result.nodes.push_back(run_node(step, context));
  }
  return result;
}

NodeResult StepRunner::run_node(const Step& step, StepContext& context) {
  const auto index = step.nodes.at(0);
  const auto& node = plan_.nodes.at(index);
  auto& link = *links_.at(index);
  const std::lock_guard lock(link.mutex);
  switch (step.kind) {
  case StepKind::survey:
    return survey_node({contact_, store_, agents_, options_.check_signatures}, node, index, link,
                       context);
  case StepKind::copy:
    return copy_node({contact_, store_, agents_, options_.check_signatures}, node, index, link,
                     context);
  case StepKind::activate:
    return activate_node(contact_, node, index, link, context);
  case StepKind::rollback:
    return roll_back_node(contact_, node, index, link, context);
  case StepKind::finish:
    return finish_node(contact_, node, index, link, context);
  case StepKind::evaluate:
  case StepKind::build:
    break;
  }
  throw Error(ErrorKind::internal,
              "a step of kind " + std::string(name_of(step.kind)) + " does not work on one node");
}

void StepRunner::ping_links(std::size_t first) {
  const auto stop = closing_.token();
  const auto ping = [&](std::size_t i, bool reconnects) {
    // A link that is locked has a step at work, which asks for itself.
    if (const std::unique_lock busy(links_[i]->mutex, std::try_to_lock); busy.owns_lock()) {
      links_[i]->ping({contact_, plan_.nodes[i], Wait{Instant::max(), stop}, reconnects});
    }
  };
  auto next_lost = first;
  while (wait_readable(-1, Wait::at_most(look_interval, stop)) != Ready::cancelled) {
    for (auto i = first; i < links_.size() && !stop.cancelled(); i += most_pingers) {
      ping(i, false);
    }
    // Each dead link costs seconds. Who is still there must not be forgotten over them.
    const auto round = Wait::at_most(look_interval, stop);
    for (auto i = first; i < links_.size() && !round.expired() && !stop.cancelled();
         i += most_pingers) {
      ping(next_lost, true);
      next_lost = next_lost + most_pingers < links_.size() ? next_lost + most_pingers : first;
    }
  }
}

} // namespace belay::run
