// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/containment.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

namespace belay::agent {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds systemctl_limit{3}; // it is asked in each round of a stop
constexpr std::chrono::seconds systemctl_grace{1};
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

/// Whether a cgroup is that scope's: what is in another one must never be stopped.
bool is_of_scope(const fs::path& group, const std::string& unit) {
  return group.filename() == unit && group.string().find("/../") == std::string::npos;
}

/// The text of a cgroup's file; nullopt where the cgroup is gone.
std::optional<std::string> read_group_file(const fs::path& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> buffer{};
  ssize_t got = fd ? 1 : -1;
  while (got > 0) {
    got = read(fd.get(), buffer.data(), buffer.size());
    text.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  }
  if (got < 0 && (errno == ENOENT || errno == ENODEV)) {
    return std::nullopt;
  }
  if (got < 0 || text.size() > process_list_cap) {
    throw Error::from_errno("cannot read " + path.string(), errno);
  }
  return text;
}

/// The cgroup's processes and those of the cgroups in it.
void add_processes(const fs::path& group, std::vector<pid_t>& pids) {
  for (const auto& line : split_white_space(read_group_file(group / "cgroup.procs").value_or(""))) {
    pid_t pid = 0;
    std::from_chars(line.data(), line.data() + line.size(), pid);
    if (pid > 0 && pid != getpid()) {
      pids.push_back(pid);
    }
  }
  std::error_code problem;
  for (fs::directory_iterator entry(group, problem), end; !problem && entry != end;
       entry.increment(problem)) {
    if (std::error_code gone; entry->is_directory(gone) && !entry->is_symlink(gone)) {
      add_processes(entry->path(), pids);
    }
  }
  if (problem && problem != std::errc::no_such_file_or_directory &&
      problem != std::errc::no_such_device) {
    throw Error(ErrorKind::system, "cannot read " + group.string() + ": " + problem.message());
  }
}

/// A group that is nowhere is gone, but only where groups can be seen at all.
std::vector<pid_t> processes_in(const fs::path& cgroups, const std::string& group) {
  std::vector<pid_t> pids;
  bool seen = false;
  // Version 2, the mixed layout, version 1: systemd(1), cgroups(7).
  for (const auto& root : {cgroups, cgroups / "unified", cgroups / "systemd"}) {
    seen |= read_group_file(root / "cgroup.procs").has_value();
    add_processes(root / group.substr(1), pids);
  }
  if (!seen) {
    throw Error(ErrorKind::system, "there are no cgroups at " + cgroups.string());
  }
  return pids;
}

} // namespace

std::vector<std::string> SessionContainment::wrap(const std::string&,
                                                  std::vector<std::string> argv) {
  look_around();
  return argv;
}

void SessionContainment::look_around() {
  before_ = children_of(list_processes(), getpid());
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
  // Shell built-ins only: nobody knows what PATH there is. Beside a full disk it goes on.
  constexpr const char* enter = "{ while read -r line; do printf '%s\\n' \"$line\"; done; :; } "
                                "< /proc/self/cgroup > \"$0\" && exec \"$@\"";
  std::vector<std::string> words = {"systemd-run"};
  if (options_.user_manager) {
    words.emplace_back("--user");
  }
  words.insert(words.end(), {"--scope", "--quiet", "--collect", "--unit=" + unit_of(mark), "--",
                             "/bin/sh", "-c", enter, (options_.folder / mark).string()});
  words.insert(words.end(), argv.begin(), argv.end());
  return words;
}

bool ScopeContainment::entered(const std::string& mark) const {
  std::error_code unknown; // then better no second one beside it
  return fs::exists(options_.folder / mark, unknown) || unknown;
}

std::vector<pid_t> ScopeContainment::members(const std::string& mark, bool) {
  auto group = group_from_marker(mark);
  if (group.empty()) {
    group = group_from_manager(mark);
  }
  return group.empty() ? std::vector<pid_t>() : processes_in(options_.cgroups, group);
}

/// Empty where there is none, or none that says where the script is.
std::string ScopeContainment::group_from_marker(const std::string& mark) const {
  const auto marker = options_.folder / mark;
  if (!std::filesystem::exists(marker)) {
    return "";
  }
  for (const auto& line : split(read_file(marker, process_list_cap), '\n')) {
    // "0::/GROUP", and "1:name=systemd:/GROUP" where version 1 is in use too. cgroups(7).
    const auto colon = line.find(":/");
    if ((line.starts_with("0::") || line.find(":name=systemd:") != std::string::npos) &&
        colon != std::string::npos && is_of_scope(line.substr(colon + 1), unit_of(mark))) {
      return line.substr(colon + 1);
    }
  }
  return "";
}

/// Empty where there is no such scope.
std::string ScopeContainment::group_from_manager(const std::string& mark) {
  ProcessSpec show{.argv = {"systemctl"}, .term_grace = systemctl_grace};
  if (options_.user_manager) {
    show.argv.emplace_back("--user");
    show.environment["XDG_RUNTIME_DIR"] = "/run/user/" + std::to_string(geteuid());
  }
  show.argv.insert(show.argv.end(), {"show", "--property=ControlGroup", "--value", unit_of(mark)});
  const auto shown = processes_.run(show, Wait::at_most(systemctl_limit));
  std::string group(trim(shown.out));
  if (!shown.succeeded() || (!group.empty() && !is_of_scope(group, unit_of(mark)))) {
    throw Error(ErrorKind::system, "systemctl show " + unit_of(mark) + " " + shown.describe());
  }
  return group;
}

} // namespace belay::agent
