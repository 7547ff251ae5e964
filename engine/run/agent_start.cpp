// SPDX-License-Identifier: Apache-2.0
#include "engine/run/agent_start.h"

#include "engine/base/text.h"
#include "engine/plan/plan.h"

#include <algorithm>
#include <array>

namespace belay::run {

namespace {

// A login may print much before what matters.
constexpr std::size_t longest_quotation = 1000;

/// "sudo", "doas": the program of the first word.
std::string program_of(const AgentStart& start) {
  const auto words = split_white_space(start.sudo);
  return words.empty() ? "" : words.front().substr(words.front().rfind('/') + 1);
}

bool says(const FailedStart& failed, std::initializer_list<std::string_view> texts) {
  return std::any_of(texts.begin(), texts.end(), [&](std::string_view text) {
    return failed.end.stderr_tail.find(text) != std::string::npos;
  });
}

/// The next version of the agent has another hash.
std::string any_hash(const std::string& agent) {
  constexpr std::string_view store = "/nix/store/";
  constexpr std::size_t hash = 32;
  if (!agent.starts_with(store) || agent.size() < store.size() + hash) {
    return agent;
  }
  const auto name = agent.substr(store.size() + hash);
  const auto slash = name.find('/');
  return std::string(store) + "*" + (slash == std::string::npos ? name : name.substr(slash));
}

std::string advice(const AgentStart& start) {
  const auto program = program_of(start);
  const bool doas = program == "doas";
  if (program == "runuser") {
    return "runuser is for root alone: log in as root, or name sudo (setting sudo)";
  }
  if (program == "run0") {
    return "allow " + start.login +
           " the action org.freedesktop.systemd1.manage-units in a rule of "
           "the target's polkit, or name sudo (setting sudo)";
  }
  return "allow it on the target with the line '" + permission_line(start) + "' in " +
         (doas ? "/etc/doas.conf" : "sudoers");
}

/// sudo and the agent have codes of their own: 1 is sudo's no, 127 the shell's "not found".
std::string refusal(const AgentStart& start, const FailedStart& failed) {
  const auto program = program_of(start);
  if (failed.end.exit_status == 127) {
    return "the target has no " + program + " in the PATH of " + start.login +
           "; install it, name another command (setting sudo), or log in as " + start.user;
  }
  if (says(failed, {"unknown user"})) {
    return "the target has no user " + start.user;
  }
  if (says(failed, {"must have a tty"})) {
    return "sudo there wants a terminal (requiretty), which a deploy has not; add the line "
           "'Defaults:" +
           start.login + " !requiretty' to the target's sudoers";
  }
  if (!start.password && says(failed, {"password is required", "terminal is required",
                                       "tty is required", "tty present", "Authentication fail"})) {
    return program + " asks " + start.login + " for a password; " + advice(start) +
           (program == "doas" || program == "run0"
                ? ""
                : ", or set sudoPasswordEnv or sudoPasswordFile");
  }
  return program + " does not let " + start.login + " run the agent as " + start.user + "; " +
         advice(start);
}

} // namespace

std::string serve_command(const AgentStart& start, const std::string& marker) {
  std::string command;
  if (!start.user.empty()) {
    if (!plan::is_user_name(start.user)) {
      throw Error(ErrorKind::invalid_plan, "\"" + one_line(start.user) + "\" is no user name");
    }
    for (const auto& word : split_white_space(start.sudo)) {
      command += shell_quote(word) + " ";
    }
    command += shell_quote(start.user) + " ";
    if (!marker.empty()) {
      command += "-S -p " + shell_quote(marker) + " ";
    }
  }
  return command + shell_quote(start.agent) + " " + start.verb;
}

std::string permission_line(const AgentStart& start) {
  if (program_of(start) == "doas") {
    return "permit nopass " + start.login + " as " + start.user;
  }
  return start.login + " ALL=(" + start.user + ") " + (start.password ? "" : "NOPASSWD: ") +
         any_hash(start.agent) + " " + start.verb;
}

Error start_failure(const AgentStart& start, const FailedStart& failed) {
  auto end = failed.end;
  end.stderr_tail = tail(failed.end.stderr_tail, longest_quotation);
  const auto printed = one_line(tail(failed.printed, longest_quotation));
  const auto how = "'" + failed.command + "' " + end.describe() +
                   (printed.empty() ? "" : "; it printed: " + printed);
  if (failed.answered && says(failed, {"incorrect password", "Authentication fail"})) {
    return {ErrorKind::secret, "sudo does not take the password of " + start.login + " from " +
                                   start.password->origin() + " (" + how + ")"};
  }
  const bool refused = failed.end.exit_status == 1 || failed.end.exit_status == 127;
  if (!start.user.empty() && refused && !says(failed, {"unable to execute", start.agent + ": "})) {
    return {ErrorKind::no_privilege, refusal(start, failed) + " (" + how + ")"};
  }
  return {ErrorKind::agent_missing, "the agent did not start: " + how};
}

} // namespace belay::run
