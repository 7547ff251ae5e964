// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/host.h"

#include "engine/agent/fault_point.h"
#include "engine/agent/journal.h"
#include "engine/agent/profile_store.h"
#include "engine/base/error.h"
#include "engine/base/system_name.h"
#include "engine/base/text.h"

#include <algorithm>
#ifdef __APPLE__
#include <pwd.h>
#endif
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace belay::agent {

namespace {

constexpr std::chrono::seconds name_lookup_limit{10};
constexpr std::chrono::seconds keeper_start_limit{15};

/// Who we are is asked of programs: a static one must not load name-service plugins.
std::string look_up(ProcessRunner& processes, std::vector<std::string> argv) {
  return output_of(processes, std::move(argv), Wait::at_most(name_lookup_limit));
}

bool is_own_folder(const std::string& path) {
  struct stat facts {};
  return path.starts_with('/') && stat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode) &&
         facts.st_uid == geteuid();
}

/// sudo does not set HOME everywhere.
std::string find_home(const std::string& from_environment, ProcessRunner& processes) {
  if (is_own_folder(from_environment)) {
    return from_environment;
  }
#ifdef __APPLE__ // has no getent, and nothing there is static
  const passwd* entry = getpwuid(geteuid());
  return entry != nullptr && entry->pw_dir != nullptr ? entry->pw_dir : from_environment;
#else
  const auto fields =
      split(look_up(processes, {"getent", "passwd", std::to_string(geteuid())}), ':');
  constexpr std::size_t home = 5;
  return fields.size() > home && fields[home].starts_with('/') ? fields[home] : from_environment;
#endif
}

/// What a sudo that keeps the login's environment (runuser, sudo on darwin) leaves to be put right:
/// scripts and Nix go by HOME and USER, and the login's XDG folders are not this user's.
void make_own(std::map<std::string, std::string>& environment, const std::string& user,
              ProcessRunner& processes) {
  const auto before = environment["HOME"];
  environment["HOME"] = find_home(before, processes);
  if (!before.empty() && before != environment["HOME"]) {
    for (const char* name : {"XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME",
                             "XDG_RUNTIME_DIR"}) {
      environment.erase(name);
      unsetenv(name); // NOLINT: before any thread
    }
  }
  if (!user.empty()) {
    environment["USER"] = environment["LOGNAME"] = user;
  }
  setenv("HOME", environment["HOME"].c_str(), 1); // NOLINT: before any thread
}

bool is_closed(const TransactionFiles& files) {
  const auto journal = read_journal(files.journal());
  return std::any_of(journal.begin(), journal.end(),
                     [](const Entry& entry) { return entry.step == Step::closed; });
}

} // namespace

Host look_around(std::optional<std::filesystem::path> state_directory, ProcessRunner& processes,
                 Clock& clock) {
  auto surroundings = Surroundings::here();
  auto& environment = surroundings.environment;
  const auto user = look_up(processes, {"id", "-un"});
  make_own(environment, user, processes);
  return {.surroundings = surroundings,
          .user = user.empty() ? environment["USER"] : user,
          .uid = static_cast<std::int64_t>(geteuid()),
          .system = system_name(),
          .state_directory = state_directory ? *state_directory : default_state_directory(),
          .detachment = find_detachment(processes),
          .program = own_program(),
          .processes = processes,
          .clock = clock};
}

std::optional<std::string> agent_of(const TransactionFiles& files) {
  // Where the root leads: a unit or a process by the root's own name outlives the folder.
  std::error_code none;
  const auto kept = std::filesystem::canonical(files.folder() / "agent", none);
  return !none && access(kept.c_str(), X_OK) == 0 ? std::optional(kept.string()) : std::nullopt;
}

namespace {

std::optional<Detachment> start_keeper(Detacher& detacher, const KeeperCommand& command) {
  const auto started = detacher.start(command);
  const auto wait = Wait::at_most(keeper_start_limit);
  while (!wait.expired()) {
    if (is_locked(command.files.lock()) || is_closed(command.files)) {
      return started;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
  }
  return std::nullopt;
}

} // namespace

std::optional<Detachment> ensure_keeper(const TransactionFiles& files, const Host& host,
                                        KeeperVerb verb) {
  if (is_locked(files.lock()) || is_closed(files)) {
    return host.detachment;
  }
  const CutAround cut(Deed::start_keeper);
  RealDetacher detacher(host.detachment, host.surroundings.environment, host.processes);
  const auto began = agent_of(files);
  if (began && began != real_path(host.program)) {
    if (const auto kept = start_keeper(detacher, {*began, files, verb})) {
      return kept;
    } // it may have been damaged: ours is better than none
  }
  return start_keeper(detacher, {host.program, files, verb});
}

} // namespace belay::agent
