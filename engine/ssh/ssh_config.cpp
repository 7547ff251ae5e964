// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/ssh_config.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/ssh/ssh_config_values.h"
#include "engine/ssh/target.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <unistd.h>

namespace belay::ssh {
namespace {

constexpr Duration ssh_limit = std::chrono::seconds(30); // `Match exec` may ask slow programs

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

SshConfigKeys parse_answer(const std::string& answer) {
  SshConfigKeys keys;
  for (const auto& line : split(answer, '\n')) {
    const auto blank = line.find(' ');
    if (blank != std::string::npos)
      keys[lower(line.substr(0, blank))].push_back(line.substr(blank + 1));
  }
  return keys;
}

// ssh expands tokens and splits lists in ways that -G does not show.
bool needs_expansion(const std::vector<std::string>& values) {
  return std::ranges::any_of(
      values, [](const auto& value) { return value.find_first_of(" \t%\"") != std::string::npos; });
}

void judge(const std::string& key, const std::vector<std::string>& values, ResolvedHost& host) {
  const auto meaning = meaning_of(key, values.front());
  if (meaning == KeyMeaning::other_login)
    host.other_logins.push_back(key);
  else if (meaning == KeyMeaning::unsupported ||
           (meaning == KeyMeaning::supported && needs_expansion(values)))
    host.unsupported.push_back(key + " " + values.front());
}

} // namespace

std::vector<std::string> fixed_ssh_options() {
  return {"-o", "RemoteCommand=none", "-o", "RequestTTY=no",   "-o", "ClearAllForwardings=yes",
          "-o", "BatchMode=yes",      "-o", "ForwardAgent=no", "-o", "PermitLocalCommand=no"};
}

std::vector<std::string> target_options(const HostAddress& address, const Target& target) {
  std::vector<std::string> words;
  const std::string& user = address.user.empty() ? target.user : address.user;
  if (target.port)
    words.insert(words.end(), {"-p", std::to_string(*target.port)});
  if (!user.empty())
    words.insert(words.end(), {"-l", user});
  return words;
}

ResolvedHost interpret_ssh_config(const std::string& answer, const std::string& empty_answer) {
  const auto keys = parse_answer(answer);
  const auto empty = parse_answer(empty_answer);
  ResolvedHost host;
  const char* agent = std::getenv("SSH_AUTH_SOCK"); // -G names an agent only where one is set
  host.agent_socket = agent ? agent : "";
  for (const auto& [key, values] : keys) {
    const auto before = empty.find(key);
    const bool said = before == empty.end() || before->second != values;
    if (said)
      judge(key, values, host);
    if (said || !key.starts_with("serveralive")) // Debian's ssh has a default of its own there
      read_ssh_config_key(key, values, host);
  }
  const auto first_of = [&](const char* key) {
    const auto found = keys.find(key);
    return found == keys.end() ? "" : found->second.front();
  };
  host.proxy_jump = first_of("proxyjump");
  host.proxy_command = first_of("proxycommand");
  host.known_hosts_command = !first_of("knownhostscommand").empty();
  return host;
}

SshConfig::SshConfig(ProcessRunner& processes, std::string program)
    : processes_(processes), program_(std::move(program)) {}

std::string SshConfig::run(const std::vector<std::string>& arguments, const Wait& wait) {
  ProcessSpec spec;
  spec.argv = {program_};
  const auto fixed = fixed_ssh_options();
  spec.argv.insert(spec.argv.end(), fixed.begin(), fixed.end());
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  const auto result = processes_.run(spec, wait.within(ssh_limit));
  if (result.end == ProcessResult::End::cancelled)
    throw Error(ErrorKind::cancelled, "cancelled");
  if (result.end == ProcessResult::End::timed_out)
    throw Error(ErrorKind::unreachable, "ssh -G did not answer in time (a slow 'Match exec'?)");
  if (!result.succeeded())
    throw Error(ErrorKind::invalid_plan,
                "ssh -G " + result.describe() + ": " + one_line(result.err));
  return result.out;
}

std::string SshConfig::ask(const std::vector<std::string>& arguments, const Wait& wait) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = answers_.find(arguments); known != answers_.end())
      return known->second;
  }
  auto answer = run(arguments, wait); // of two at once each asks: no matter
  const std::lock_guard lock(mutex_);
  return answers_.emplace(arguments, std::move(answer)).first->second;
}

ResolvedHost SshConfig::resolve(const HostAddress& address, const Wait& wait) {
  if (program_.empty())
    return resolve_without_ssh(address);
  const auto target = parse_target(address.hostname);
  auto arguments = target_options(address, target);
  arguments.insert(arguments.end(), address.ssh_opts.begin(), address.ssh_opts.end());
  arguments.insert(arguments.end(), {"-G", "--", target.host});
  auto host = interpret_ssh_config(ask(arguments, wait),
                                   ask({"-F", "/dev/null", "-G", "--", "host"}, wait));
  host.hostname = lower(host.hostname);
  return host;
}

ResolvedHost resolve_without_ssh(const HostAddress& address) {
  const auto target = parse_target(address.hostname);
  ResolvedHost host;
  fill_defaults(host);
  SshConfigKeys keys;
  for (std::size_t i = 0; i < address.ssh_opts.size(); ++i) {
    const auto& option = address.ssh_opts[i];
    static const std::map<std::string, std::string> short_forms = {
        {"-p", "port"}, {"-l", "user"}, {"-i", "identityfile"}};
    const auto short_form = short_forms.find(option.substr(0, 2));
    if (option.size() < 2 || (short_form == short_forms.end() && !option.starts_with("-o")) ||
        (option.size() == 2 && i + 1 == address.ssh_opts.size())) {
      host.unsupported.push_back("sshOpts " + option);
      continue;
    }
    const auto value = option.size() > 2 ? option.substr(2) : address.ssh_opts[++i];
    if (short_form != short_forms.end()) {
      keys[short_form->second].push_back(value);
      continue;
    }
    const auto equals = value.find_first_of("= ");
    if (equals == std::string::npos)
      host.unsupported.push_back("sshOpts -o " + value);
    else
      keys[lower(value.substr(0, equals))].emplace_back(trim(value.substr(equals + 1)));
  }
  for (const auto& [key, values] : keys) {
    judge(key, values, host);
    read_ssh_config_key(key, values, host);
  }
  host.hostname = lower(target.host);
  if (target.port)
    host.port = *target.port;
  if (const auto& user = address.user.empty() ? target.user : address.user; !user.empty())
    host.user = user;
  return host;
}

std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  for (const auto& folder : split(path ? path : "/usr/bin:/bin", ':'))
    if (const auto full = folder + "/" + name; access(full.c_str(), X_OK) == 0)
      return full;
  return "";
}

} // namespace belay::ssh
