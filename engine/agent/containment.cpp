// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/containment.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"

#include <algorithm>
#include <charconv>
#include <unistd.h>

namespace belay::agent {

namespace {

constexpr std::chrono::seconds systemctl_limit{3}; // it is asked in each round of a stop
constexpr std::size_t process_list_cap = 4 * 1024 * 1024;

std::vector<ProcessFacts> children_of(const std::vector<ProcessFacts>& all, pid_t parent) {
  std::vector<ProcessFacts> children;
  std::copy_if(all.begin(), all.end(), std::back_inserter(children),
               [&](const auto& process) { return process.parent == parent; });
  return children;
}

std::vector<pid_t> pids_of(const std::vector<ProcessFacts>& processes) {
  std::vector<pid_t> pids;
  for (const auto& process : processes) {
    if (process.pid != getpid()) {
      pids.push_back(process.pid);
    }
  }
  return pids;
}

} // namespace

std::vector<std::string> SessionContainment::wrap(const std::string&,
                                                  std::vector<std::string> argv) {
  before_ = children_of(list_processes(), getpid());
  return argv;
}

std::vector<pid_t> SessionContainment::members(const std::string& mark, bool ours) {
  const auto all = list_processes();
  std::vector<ProcessFacts> roots;
  for (const auto& process : all) {
    const bool was_there = std::any_of(before_.begin(), before_.end(),
                                       [&](const auto& known) { return known.same_as(process); });
    const auto carries = environment_value(process.pid, mark_variable);
    // A child of ours that carries another mark was left behind, rightly, by an earlier script.
    const bool orphan = ours && process.parent == getpid() && !was_there && carries.empty();
    if (carries == mark || orphan) {
      roots.push_back(process);
    }
  }
  return pids_of(with_descendants(all, std::move(roots)));
}

std::vector<std::string> ScopeContainment::wrap(const std::string& mark,
                                                std::vector<std::string> argv) {
  std::vector<std::string> words = {"systemd-run"};
  if (options_.user_manager) {
    words.emplace_back("--user");
  }
  words.insert(words.end(),
               {"--scope", "--quiet", "--collect", "--unit=" + unit_of(mark), "--", "/bin/sh", "-c",
                ": > \"$0\" && exec \"$@\"", (options_.folder / mark).string()});
  words.insert(words.end(), argv.begin(), argv.end());
  return words;
}

bool ScopeContainment::entered(const std::string& mark) const {
  return std::filesystem::exists(options_.folder / mark);
}

std::vector<pid_t> ScopeContainment::members(const std::string& mark, bool) {
  std::vector<std::string> words = {"systemctl"};
  if (options_.user_manager) {
    words.emplace_back("--user");
  }
  words.insert(words.end(), {"show", "--property=ControlGroup", "--value", unit_of(mark)});
  const auto shown = processes_.run({.argv = words}, Wait::at_most(systemctl_limit));
  const std::string group(trim(shown.out));
  const auto list =
      options_.cgroups / group.substr(group.starts_with('/') ? 1 : 0) / "cgroup.procs";
  std::vector<pid_t> pids;
  if (group.empty() || !std::filesystem::exists(list)) {
    return pids; // no such scope any more: it is empty
  }
  for (const auto& line : split_white_space(read_file(list, process_list_cap))) {
    pid_t pid = 0;
    std::from_chars(line.data(), line.data() + line.size(), pid);
    if (pid > 0 && pid != getpid()) {
      pids.push_back(pid);
    }
  }
  return pids;
}

} // namespace belay::agent
