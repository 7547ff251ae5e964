// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/ssh_route.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/ssh/ssh_options.h"

#include <algorithm>
#include <cstdlib>

namespace belay::ssh {
namespace {

constexpr std::size_t most_hops = 8; // more is a circle

std::string plain_spec(std::string spec) {
  if (spec.starts_with("ssh://"))
    spec.erase(0, 6);
  if (spec.ends_with('/'))
    spec.pop_back();
  return spec;
}

std::filesystem::path hop_script(const std::filesystem::path& folder, std::size_t hop) {
  return folder / ("hop" + std::to_string(hop));
}

// %h and %p are filled in by ssh; both stand between quotes there.
std::string call_of(const std::filesystem::path& script) {
  return "/bin/sh " + script.string() + " '%h' '%p'";
}

// What the words say goes to their log; stderr has what their own proxy says.
std::string script_text(const std::vector<std::string>& words, const std::string& host,
                        const std::filesystem::path& folder) {
  std::string text = "exec";
  for (const auto& word : words)
    text += " " + shell_quote(word);
  return text + " -W \"[$1]:$2\" -- " + shell_quote(host) + " 2>>" + proxy_log(folder).string() +
         "\n";
}

// ssh prefixes a ProxyCommand with "exec " and gives it to $SHELL.
bool shell_is_posix() {
  const char* shell = std::getenv("SHELL");
  const auto name = std::filesystem::path(shell ? shell : "/bin/sh").filename().string();
  return name == "sh" || name == "bash" || name == "dash" || name == "zsh" || name == "ksh" ||
         name == "ash";
}

} // namespace

std::string Route::path() const {
  if (!proxy_command.empty())
    return "proxy-command";
  return hops.empty() ? "direct" : "proxy-jump";
}

Route find_route(SshConfig& config, const HostAddress& address, const ResolvedHost& host,
                 const Wait& wait) {
  const auto options = hop_options(parse_ssh_options(address.ssh_opts));
  Route route;
  auto jumps = split(host.proxy_jump, ',');
  std::string proxy_command = host.proxy_command;
  std::erase(jumps, "");
  while (!jumps.empty()) {
    if (route.hops.size() == most_hops)
      throw Error(ErrorKind::invalid_plan, "ssh_config: the jump hosts of " + address.hostname +
                                               " go in a circle (" + route.hops.back().name + ")");
    Hop hop;
    hop.name = plain_spec(jumps.back());
    jumps.pop_back();
    hop.target = parse_target(hop.name);
    hop.host = config.resolve({address.name, hop.name, "", options, {}}, wait);
    if (jumps.empty()) { // else the list itself says how to get there
      jumps = split(hop.host.proxy_jump, ',');
      std::erase(jumps, "");
      proxy_command = hop.host.proxy_command;
    }
    route.hops.insert(route.hops.begin(), std::move(hop));
  }
  route.proxy_command = proxy_command;
  return route;
}

std::string write_route(const std::filesystem::path& folder, const Route& route,
                        const HopSettings& settings) {
  std::string proxy;
  if (route.hops.empty() && !route.proxy_command.empty() && shell_is_posix())
    return "2>>" + proxy_log(folder).string() + "; exec " + route.proxy_command;
  for (std::size_t i = 0; i < route.hops.size(); ++i) {
    const auto& hop = route.hops[i];
    std::vector<std::string> words = {settings.ssh_program};
    const auto add = [&](const std::vector<std::string>& more) {
      words.insert(words.end(), more.begin(), more.end());
    };
    add(fixed_ssh_options());
    add({"-o", "ControlMaster=no", "-o", "ControlPath=none"});
    add(settings.limits);
    if (!proxy.empty())
      add({"-o", "ProxyCommand=" + proxy});
    add(settings.options);
    add(target_options({}, hop.target));
    add({"-v", "-E", hop_log(folder, i), "-S", "none"});
    replace_file(hop_script(folder, i), script_text(words, hop.target.host, folder),
                 {.mode = 0600});
    proxy = call_of(hop_script(folder, i));
  }
  return proxy;
}

std::filesystem::path proxy_log(const std::filesystem::path& folder) {
  return folder / "proxy.log";
}

std::filesystem::path hop_log(const std::filesystem::path& folder, std::size_t hop) {
  return folder / ("hop" + std::to_string(hop) + ".log");
}

} // namespace belay::ssh
