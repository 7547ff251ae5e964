// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/process_tree.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

namespace belay::agent {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t stat_cap = 64 * 1024;
constexpr std::size_t environment_cap = 16 * 1024 * 1024;

std::string read_or_empty(const fs::path& path, std::size_t cap) {
  try {
    return read_file(path, cap);
  } catch (const Error&) { // it ended meanwhile, or is not ours
    return {};
  }
}

template <class Number> Number to_number(std::string_view text) {
  Number number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

} // namespace

ProcessFacts parse_process_stat(std::string_view line) {
  // PID (NAME) STATE PARENT GROUP SESSION …: NAME may hold blanks and parentheses. proc(5).
  const auto name_end = line.rfind(')');
  if (name_end == std::string_view::npos) {
    return {};
  }
  const auto fields = split_white_space(line.substr(name_end + 1));
  constexpr std::size_t state = 0, parent = 1, session = 3, start = 19;
  if (fields.size() <= start) {
    return {};
  }
  return {.pid = to_number<pid_t>(line),
          .parent = to_number<pid_t>(fields[parent]),
          .session = to_number<pid_t>(fields[session]),
          .start = to_number<unsigned long long>(fields[start]),
          .dead = fields[state] == "Z" || fields[state] == "X"};
}

std::vector<ProcessFacts> list_processes() {
  std::vector<ProcessFacts> processes;
  std::error_code problem;
  for (fs::directory_iterator entry("/proc", problem), end; !problem && entry != end;
       entry.increment(problem)) {
    const auto name = entry->path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos) {
      const auto facts = parse_process_stat(read_or_empty(entry->path() / "stat", stat_cap));
      if (facts.pid > 0) {
        processes.push_back(facts);
      }
    }
  }
  const bool sees_us = std::any_of(processes.begin(), processes.end(),
                                   [](const auto& process) { return process.pid == getpid(); });
  if (!sees_us && problem != std::errc::no_such_file_or_directory) { // no descriptor is left
    throw Error(ErrorKind::system, "cannot list the processes: " + problem.message());
  }
  return processes;
}

std::string environment_value(pid_t pid, const std::string& name) {
  const auto text =
      read_or_empty(fs::path("/proc") / std::to_string(pid) / "environ", environment_cap);
  for (const auto& assignment : split(text, '\0')) {
    if (assignment.starts_with(name + "=")) {
      return assignment.substr(name.size() + 1);
    }
  }
  return {};
}

bool has_in_environment(pid_t pid, const std::string& assignment) {
  const auto equals = assignment.find('=');
  return environment_value(pid, assignment.substr(0, equals)) == assignment.substr(equals + 1);
}

std::vector<ProcessFacts> with_descendants(const std::vector<ProcessFacts>& all,
                                           std::vector<ProcessFacts> roots) {
  std::vector<ProcessFacts> found;
  while (!roots.empty()) {
    const auto next = roots.back();
    roots.pop_back();
    if (std::any_of(found.begin(), found.end(),
                    [&](const auto& known) { return known.same_as(next); })) {
      continue;
    }
    found.push_back(next);
    std::copy_if(all.begin(), all.end(), std::back_inserter(roots),
                 [&](const auto& process) { return process.parent == next.pid; });
  }
  std::erase_if(found, [](const auto& process) { return process.dead; });
  return found;
}

bool become_subreaper() {
#ifdef __linux__
  return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
#else
  return false;
#endif
}

} // namespace belay::agent
