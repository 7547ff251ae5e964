// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/boot_unit.h"

#include "engine/agent/fault_point.h"
#include "engine/base/error.h"
#include "engine/base/file.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <unistd.h>

namespace belay::agent {

namespace {

/// One word of ExecStart: systemd.service(5), "command lines".
std::string quoted(const std::string& word) {
  std::string text = "\"";
  for (const char c : word) {
    switch (c) {
    case '"':
    case '\\':
      text += '\\';
      break;
    case '%':
    case '$':
      text += c; // doubled
      break;
    case '\n':
      text += "\\n";
      continue;
    default:
      break;
    }
    text += c;
  }
  return text + "\"";
}

constexpr std::size_t unit_cap = 64 * 1024;

/// What follows the agent in the unit's last line.
std::string command_end(const std::filesystem::path& state_directory) {
  return " recover --state-directory " + quoted(state_directory.string()) + "\n";
}

/// Whether a unit's text says that it looks after that state directory.
bool is_of(const std::string& text, const std::filesystem::path& state_directory) {
  return text.ends_with(command_end(state_directory));
}

/// "belay-recover.service.XXXXXX", as replace_file calls what it has not renamed yet.
bool is_unfinished(const std::string& name, const std::string& unit) {
  constexpr std::size_t random = 6;
  return name.size() == unit.size() + 1 + random && name.starts_with(unit + ".");
}

/// So long no agent is at it.
bool is_old(const std::filesystem::path& path) {
  constexpr std::chrono::hours old{1};
  return std::filesystem::file_time_type::clock::now() - std::filesystem::last_write_time(path) >=
         old;
}

/// What an agent left that was killed between writing and renaming. Our state directory's mutex is
/// held, so none of it is at work on one of ours now; but it may be on one of another's.
void remove_unfinished(const std::filesystem::path& unit,
                       const std::filesystem::path& state_directory) {
  std::error_code problem;
  for (std::filesystem::directory_iterator entry(unit.parent_path(), problem), end;
       !problem && entry != end; entry.increment(problem)) {
    const auto& path = entry->path();
    if (!is_unfinished(path.filename().string(), unit.filename().string())) {
      continue;
    }
    try {
      if (entry->symlink_status().type() == std::filesystem::file_type::regular &&
          (is_of(read_file(path, unit_cap), state_directory) || is_old(path))) {
        unlink(path.c_str());
      }
    } catch (const std::exception&) { // its agent was quicker
    }
  }
}

/// Where it cannot be made, the machine's own unit has an agent of its own.
void link_agent(const std::string& agent, const std::filesystem::path& link) {
  const auto made = link.string() + ".new";
  unlink(made.c_str());
  if (symlink(agent.c_str(), made.c_str()) == 0 && rename(made.c_str(), link.c_str()) != 0) {
    unlink(made.c_str());
  }
}

} // namespace

std::string BootUnit::text(const std::string& agent, const std::filesystem::path& state_directory) {
  return "[Unit]\n"
         "Description=Undo deploys that were never confirmed\n"
         "DefaultDependencies=no\n"
         "After=local-fs.target sysinit.target dbus.socket\n"
         "Before=shutdown.target\n"
         "Conflicts=shutdown.target\n"
         "\n"
         "[Service]\n"
         "Type=oneshot\n"
         "TimeoutStartSec=infinity\n"
         "KillMode=process\n"
         "ExecStart=" +
         quoted(agent) + command_end(state_directory);
}

bool BootUnit::arm(const std::string& agent, const std::filesystem::path& state_directory) const {
  const CutAround cut(Deed::arm_boot_unit);
  link_agent(agent, agent_link(state_directory));
  remove_unfinished(unit(), state_directory);
  try {
    replace_file(unit(), text(agent, state_directory), {.sync = true});
    std::filesystem::create_directories(link().parent_path());
    if (symlink("../belay-recover.service", link().c_str()) != 0 && errno != EEXIST) {
      return false;
    }
    sync_directory(link().parent_path());
    return true;
  } catch (const std::exception&) { // a read-only /etc: said in the event, no reason to stop
    return false;
  }
}

void BootUnit::disarm(const std::filesystem::path& state_directory) const {
  unlink(agent_link(state_directory).c_str());
  remove_unfinished(unit(), state_directory);
  if (std::filesystem::exists(unit()) && !is_of(read_file(unit(), unit_cap), state_directory)) {
    return;
  }
  const CutAround cut(Deed::disarm_boot_unit);
  unlink(link().c_str());
  unlink(unit().c_str());
}

} // namespace belay::agent
