// SPDX-License-Identifier: Apache-2.0
#include "runner/deploy.h"

#include "engine/base/system_name.h"
#include "engine/run/announcement.h"
#include "engine/run/step_runner.h"
#include "engine/ssh/ssh_transport.h"
#include "runner/agent_folders.h"
#include "runner/ci_context.h"

#include <memory>

namespace belay::runner {

namespace {

ssh::SshOptions ssh_options(RunFrame& frame) {
  ssh::SshOptions options;
  options.jitter_seed = static_cast<std::uint64_t>(frame.clock().wall().time_since_epoch().count());
  options.on_notice = [&frame](const ssh::Notice& notice) {
    const bool warning = notice.level == ssh::Notice::Level::warning;
    frame.tell({event::LogLine{"ssh", notice.message, std::nullopt, true},
                {notice.node, {}, {}, 0},
                warning ? event::Level::warn : event::Level::info,
                {}});
  };
  return options;
}

run::StepRunnerOptions step_options(RunFrame& frame, run::Passwords passwords,
                                    DeployOptions asked) {
  run::StepRunnerOptions options;
  options.run = frame.reports().emitter().run();
  options.holder_url = detect_trigger(environment_variable).url;
  options.nix_arguments = std::move(asked.nix_arguments);
  options.result_folder = std::move(asked.result_folder);
  options.check_signatures = asked.check_signatures;
  options.passwords = std::move(passwords);
  return options;
}

/// The plan and all that its steps work with.
class Deployment {
public:
  Deployment(RunFrame& frame, Prepared prepared, DeployOptions options)
      : plan_(std::move(prepared.plan)), transport_(frame.processes(), ssh_options(frame)),
        agents_(agent_folders(environment_variable), system_name(), frame.store()),
        steps_(plan_, transport_, frame.store(), agents_,
               step_options(frame, std::move(prepared.passwords), std::move(options))) {}

  const plan::Plan& plan() const { return plan_; }
  run::StepResult run(const run::Step& step, run::StepContext& context) {
    return steps_.run(step, context);
  }

private:
  plan::Plan plan_;
  ssh::SshTransport transport_;
  run::AgentFinder agents_;
  run::StepRunner steps_;
};

} // namespace

void deploy(RunFrame& frame, Prepared prepared, DeployOptions options) {
  frame.reports().emit(run::announce(prepared.plan));
  const auto deployment =
      std::make_shared<Deployment>(frame, std::move(prepared), std::move(options));
  frame.deploy(deployment->plan(), [deployment](const run::Step& step, run::StepContext& context) {
    return deployment->run(step, context);
  });
}

void decline(RunFrame& frame, const plan::Plan& plan) {
  frame.reports().emit(run::announce(plan));
  frame.reports().emit(event::CancelRequested{event::cancel_sources::user, "", "nothing was begun"},
                       {}, event::Level::warn);
  run::EmittingSink sink(frame.reports().emitter());
  run::Scheduler scheduler(plan, frame.clock().now(), sink);
  scheduler.cancel(frame.clock().now());
}

} // namespace belay::runner
