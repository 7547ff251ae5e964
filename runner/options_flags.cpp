// SPDX-License-Identifier: Apache-2.0
#include "runner/options_flags.h"

#include "runner/options_take.h"

#include <algorithm>
#include <array>

namespace belay::runner {
namespace {

using Values = Flag::Values;

const std::vector<Verb> loading{Verb::run, Verb::plan, Verb::check};
const std::vector<Verb> run_only{Verb::run};

constexpr std::string_view group_what = "What to deploy";
constexpr std::string_view group_policy = "How";
constexpr std::string_view group_settings = "Settings of every node, over those of flake and plan";
constexpr std::string_view group_reports = "Reports";
constexpr std::string_view group_other = "Other";
constexpr std::array<std::string_view, 5> groups{group_what, group_policy, group_settings,
                                                 group_reports, group_other};

/// The ranges are those of the plan file's keys of the same meaning.
std::vector<Flag> make_flags() {
  using plan::Settings;
  return {
      {"--targets", 0, "TARGET…", loading, group_what,
       "The same as TARGET arguments, in deploy-rs's form; ends at the next flag.", take_target,
       Values::many},
      {"--plan", 0, "FILE", loading, group_what,
       "The plan file. Default: ./belay.yaml where there is one; none is needed.",
       text([](OptionsDraft & draft) -> auto& { return draft.load.plan_file; })},
      {"--plan-artifact", 0, "FILE", run_only, group_what,
       "Deploy exactly what belay plan wrote to this file. What was settled there - targets, "
       "settings, plan file - cannot be given again.",
       text([](OptionsDraft & draft) -> auto& { return draft.run.plan_artifact; })},
      {"--file", 'f', "FILE", loading, group_what,
       "Read `deploy` from this file, not from a flake; targets are then NODE[.PROFILE].",
       text(override_of(&plan::Overrides::file))},

      {"--dry-activate", 0, "", loading, group_policy,
       "Only show what the activation would do: the scripts run with DRY_ACTIVATE=1, nothing is "
       "changed or rolled back on any host.",
       mode(plan::Mode::dry_activate, "--boot")},
      {"--boot", 0, "", loading, group_policy,
       "Set the profiles and have them booted next (BOOT=1); what runs is left alone.",
       mode(plan::Mode::boot, "--dry-activate")},
      {"--parallel", 0, "N", loading, group_policy,
       "Nodes worked on at once, in each stage. Default: 8.",
       number(override_of(&plan::Overrides::parallel), 1, 10'000)},
      {"--on-failure", 0, "stop|continue", loading, group_policy,
       "stop: nothing is activated before every node is copied to, and nothing more after a "
       "failure. continue: each node by itself. Default: stop.",
       choice(override_of(&plan::Overrides::on_failure), "stop", plan::OnFailure::stop, "continue",
              plan::OnFailure::proceed)},
      {"--rollback-succeeded", 0, "BOOL", loading, group_policy,
       "Roll back the nodes that succeeded when another one fails. Default: true with "
       "--on-failure stop, else false.",
       flag(override_of(&plan::Overrides::rollback_succeeded))},
      {"--grace", 0, "SECONDS", loading, group_policy,
       "How long a first signal waits for nodes that are activating. Default: 6.",
       number(override_of(&plan::Overrides::grace), 0, 3'600)},
      {"--lock-wait", 0, "DURATION", loading, group_policy,
       "How long to wait for another deploy that holds a target: 60, 90s, 5m, 1h; 0: not at all. "
       "Default: 60s.",
       duration(override_of(&plan::Overrides::lock_wait), 0, 86'400)},
      {"--deadline", 0, "DURATION", loading, group_policy,
       "For the whole run: when it is over, nothing new is begun, and what is activating is left "
       "to its targets after --grace. Default: none.",
       duration(override_of(&plan::Overrides::deadline), 1, 604'800)},
      {"--interactive", 'i', "", run_only, group_policy,
       "Show what will be activated and ask once, on a terminal, before anything is done.",
       turn_on([](OptionsDraft & draft) -> auto& { return draft.run.interactive; })},
      {"--skip-checks",
       's',
       "",
       {Verb::run, Verb::plan},
       group_policy,
       "Do not run the flake's checks first.",
       turn_on([](OptionsDraft & draft) -> auto& { return draft.load.skip_checks; })},
      {"--checksigs", 'c', "", run_only, group_policy,
       "Targets take nothing that is not signed by a key that they trust.",
       turn_on([](OptionsDraft & draft) -> auto& { return draft.run.check_signatures; })},
      {"--keep-result", 'k', "", run_only, group_policy,
       "Keep what was built from the garbage collector, by links.",
       turn_on([](OptionsDraft & draft) -> auto& { return draft.run.keep_result; })},
      {"--result-path", 'r', "DIR", run_only, group_policy,
       "Where these links are: DIR/NODE/PROFILE. Default: ./.deploy-gc.",
       text([](OptionsDraft & draft) -> auto& { return draft.run.result_path; })},

      {"--ssh-user", 0, "USER", loading, group_settings, "User of the ssh login (sshUser).",
       text(setting(&Settings::ssh_user))},
      {"--profile-user", 0, "USER", loading, group_settings, "Owner of the profiles (user).",
       text(setting(&Settings::user))},
      {"--ssh-opts", 0, "OPTIONS", loading, group_settings,
       "Options for ssh, split at blanks; they replace all others (sshOpts).", take_ssh_opts,
       Values::one_dash},
      {"--transport", 0, "auto|libssh2|openssh", loading, group_settings,
       "By what means targets are reached. Default: auto.", take_transport},
      {"--hostname", 0, "HOST", loading, group_settings,
       "Connect to this host, whichever node it is.",
       text(override_of(&plan::Overrides::hostname))},
      {"--fast-connection", 0, "BOOL", loading, group_settings,
       "true: copy everything from here; the target asks no substituter.",
       flag(setting(&Settings::fast_connection))},
      {"--remote-build", 0, "", loading, group_settings,
       "Build each profile on its target (remoteBuild).",
       turn_on(setting(&Settings::remote_build))},
      {"--auto-rollback", 0, "BOOL", loading, group_settings,
       "Roll back where an activation fails; false also leaves the nodes that succeeded.",
       flag(setting(&Settings::auto_rollback))},
      {"--magic-rollback", 0, "BOOL", loading, group_settings,
       "Roll back unless a new login confirms the activation.",
       flag(setting(&Settings::magic_rollback))},
      {"--confirm-timeout", 0, "SECONDS", loading, group_settings,
       "How long a target waits for that login.",
       number(setting(&Settings::confirm_timeout), 0, 65'535)},
      {"--activation-timeout", 0, "SECONDS", loading, group_settings,
       "How long an activation may take.",
       number(setting(&Settings::activation_timeout), 0, 65'535)},

      {"--sudo", 0, "COMMAND", loading, group_settings,
       "Words that become the owner of a profile, whose name follows them (sudo). Default: sudo "
       "-u.",
       text(setting(&Settings::sudo)), Values::one_dash},
      {"--interactive-sudo", 0, "BOOL", loading, group_settings,
       "true: sudo asks for a password, which the plan file must name (sudoPasswordEnv, "
       "sudoPasswordFile): nobody is asked.",
       flag(setting(&Settings::interactive_sudo))},
      {"--temp-path", 0, "PATH", loading, group_settings,
       "Used for nothing: deploy-rs puts its canary there, belay confirms without one.",
       text(setting(&Settings::temp_path))},

      {"--events", 0, "PATH|-|fd:N", run_only, group_reports,
       "Write every event as a line of JSON; - is stdout.", take_events},
      {"--junit", 0, "PATH", run_only, group_reports, "Write JUnit XML.",
       text([](OptionsDraft & draft) -> auto& { return draft.load.overrides.reports.junit; })},
      {"--junit", 0, "PATH", {Verb::report}, group_reports, "Write JUnit XML again.", text([
       ](OptionsDraft & draft) -> auto& { return draft.report.junit; })},
      {"--from",
       0,
       "FILE",
       {Verb::report},
       group_reports,
       "The event stream that run --events saved. Required.",
       text([](OptionsDraft & draft) -> auto& { return draft.report.from; })},
      {"--format",
       0,
       "table|json|toml",
       {Verb::plan},
       group_reports,
       "What is printed on stdout; toml is deploy-rs's form. Default: table.",
       take_format},
      {"--out",
       0,
       "FILE",
       {Verb::plan},
       group_reports,
       "Also write the plan to FILE, as an artifact that belay run deploys exactly.",
       text([](OptionsDraft & draft) -> auto& { return draft.plan.out; })},

      {"--log-dir", 0, "DIR", run_only, group_reports,
       "Write a log of all that is said, with the time of each line, to DIR/belay-RUN.log.",
       text([](OptionsDraft & draft) -> auto& { return draft.load.overrides.reports.log_folder; })},
      {"--no-progress", 0, "", run_only, group_other,
       "Only plain lines on stderr, also on a terminal.",
       [](OptionsDraft& draft, const std::string&) -> std::optional<std::string> {
         draft.load.overrides.reports.progress = false;
         return std::nullopt;
       }},
      {"--debug-logs", 'd', "", loading, group_other,
       "Say more on stderr: every event, and what Nix, ssh and scripts print.",
       [](OptionsDraft& draft, const std::string&) -> std::optional<std::string> {
         draft.load.debug_logs = draft.load.overrides.reports.log_on_console = true;
         return std::nullopt;
       }},
      {"--help",
       'h',
       "",
       {Verb::run, Verb::plan, Verb::check, Verb::report, Verb::schema},
       group_other,
       "Print this help.",
       [](OptionsDraft&, const std::string&) -> std::optional<std::string> { return {}; }},
  };
}

} // namespace

std::span<const Flag> flags() {
  static const std::vector<Flag> table = make_flags();
  return table;
}

std::vector<const Flag*> flags_of(Verb verb) {
  std::vector<const Flag*> found;
  for (const Flag& flag : flags()) {
    if (std::find(flag.verbs.begin(), flag.verbs.end(), verb) != flag.verbs.end()) {
      found.push_back(&flag);
    }
  }
  return found;
}

std::span<const std::string_view> flag_groups() {
  return groups;
}

} // namespace belay::runner
