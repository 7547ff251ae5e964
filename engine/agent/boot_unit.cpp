// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/boot_unit.h"

#include "engine/agent/fault_point.h"
#include "engine/base/error.h"
#include "engine/base/file.h"

#include <cerrno>
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
  if (std::filesystem::exists(unit()) &&
      !read_file(unit(), unit_cap).ends_with(command_end(state_directory))) {
    return;
  }
  const CutAround cut(Deed::disarm_boot_unit);
  unlink(link().c_str());
  unlink(unit().c_str());
}

} // namespace belay::agent
