// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/prepare.h"

#include "engine/agent/decision.h"
#include "engine/agent/earlier.h"
#include "engine/agent/journal.h"
#include "engine/agent/nix_tools.h"
#include "engine/agent/profile_store.h"
#include "engine/agent/requests.h"
#include "engine/agent/scripts.h"
#include "engine/agent/status.h"
#include "engine/base/error.h"
#include "engine/base/store_path.h"
#include "engine/base/text.h"

#include <algorithm>
#include <set>
#include <sys/stat.h>

namespace belay::agent {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t most_profiles = 64;

std::string value_of(const std::map<std::string, std::string>& environment, const char* name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

fs::path nix_state_directory(const std::map<std::string, std::string>& environment) {
  const auto set = value_of(environment, "NIX_STATE_DIR");
  return set.empty() ? fs::path("/nix/var/nix") : fs::path(set);
}

/// A name becomes a file's name: it may hold anything but what makes it another one's.
bool is_file_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.size() < 200 &&
         name.find_first_of(std::string("/\0", 2)) == std::string::npos;
}

std::optional<Refusal> check(const PrepareRequest& request) {
  const auto refuse = [](std::string message) {
    return Refusal{"protocol", std::move(message), {}};
  };
  if (request.profiles.empty() || request.profiles.size() > most_profiles) {
    return refuse("a transaction has 1 to " + std::to_string(most_profiles) + " profiles");
  }
  std::set<std::string> names;
  for (const auto& profile : request.profiles) {
    if (!names.insert(profile.name).second) {
      return refuse("profile \"" + profile.name + "\" is there twice");
    }
    if (profile.profile_path ? !fs::path(*profile.profile_path).is_absolute()
                             : !is_file_name(profile.name)) {
      return refuse("profile \"" + profile.name + "\" has no path that can be used");
    }
    if (!StorePath::parse(profile.closure)) {
      return refuse("\"" + profile.closure + "\" is not a store path");
    }
  }
  if (!request.agent.empty() && !StorePath::parse(request.agent)) {
    return refuse("\"" + request.agent + "\" is not a store path");
  }
  return std::nullopt;
}

/// Makes one transaction's folder, whole or not at all.
class Opening {
public:
  Opening(const PrepareRequest& request, const Host& host, NixTools tools)
      : request_(request), host_(host), tools_(std::move(tools)), profiles_(tools_, host.processes),
        files_(host.state_directory, random_hex(12)) {}

  const TransactionFiles& files() const { return files_; }
  std::optional<Refusal> open();
  void undo() const {
    std::error_code ignored;
    fs::remove_all(files_.folder(), ignored);
  }

private:
  void make_folder() const;
  std::optional<Refusal> record_all();
  std::optional<Refusal> record_profile(std::size_t index);
  void root(const std::string& path, const fs::path& link) const;
  void record_running();
  void note_drift(RecordedProfile& profile);
  void protect();

  const PrepareRequest& request_;
  const Host& host_;
  NixTools tools_;
  NixProfiles profiles_;
  TransactionFiles files_;
  Record record_;
};

void Opening::make_folder() const {
  for (const auto& folder : {files_.folder(), files_.requests()}) {
    if (mkdir(folder.c_str(), 0700) != 0) {
      throw Error::from_errno("cannot make the folder " + folder.string(), errno);
    }
  }
  DecisionFiles decisions(files_.folder());
  for (std::size_t i = 0; i < request_.profiles.size(); ++i) {
    decisions.create(i);
  }
  JournalFile journal(files_.journal());
}

void Opening::root(const std::string& path, const fs::path& link) const {
  add_root(tools_, host_.processes, path, link);
}

std::optional<Refusal> Opening::record_profile(std::size_t index) {
  RecordedProfile profile{.wanted = request_.profiles[index]};
  const auto& closure = profile.wanted.closure;
  profile.path = profile_path_for(profile.wanted, host_.user, host_.surroundings.environment);
  for (const auto& other : record_.profiles) {
    if (other.path == profile.path) {
      return Refusal{"protocol", "two profiles have the path " + profile.path, {}};
    }
  }
  try {
    root(closure, files_.profile(index) / "new");
  } catch (const Error& error) {
    return Refusal{"path-invalid", error.message(), {}};
  }
  if (!find_script(closure, ScriptCall::Kind::activation)) {
    return Refusal{"no-activation",
                   closure + " has neither deploy-rs-activate nor bin/switch-to-configuration",
                   {}};
  }
  fs::create_directories(fs::path(profile.path).parent_path()); // umask is 022
  const auto reading = profiles_.read(profile.path);
  profile.link = reading.link;
  profile.generation = reading.generation;
  profile.reactivate = reading.generation.path;
  for (const auto& [number, path] : profiles_.generations(profile.path)) {
    profile.numbers.push_back(number);
  }
  try {
    if (StorePath::parse(profile.generation.path)) {
      root(profile.generation.path, files_.profile(index) / "previous");
    }
  } catch (const Error& error) {
    return Refusal{"path-invalid", error.message(), {}};
  }
  note_drift(profile);
  record_.profiles.push_back(std::move(profile));
  return std::nullopt;
}

void Opening::record_running() {
  record_.running = real_path("/run/current-system");
  record_.booted = real_path("/run/booted-system");
  try {
    if (StorePath::parse(record_.running)) {
      root(record_.running, files_.folder() / "running");
    }
  } catch (const Error&) { // it runs, but the store does not know it: it cannot be gone back to
    record_.running.clear();
  }
}

/// What ran may not be what the profile says: then a rollback re-activates what ran.
void Opening::note_drift(RecordedProfile& profile) {
  const auto system = nix_state_directory(host_.surroundings.environment) / "profiles" / "system";
  const auto activated = activated_by(profile.generation.path);
  if (profile.path == system.string() && !activated.empty() && !record_.running.empty() &&
      activated != record_.running) {
    profile.reactivate = record_.running;
    record_.details["drift"] = record_.running + " ran, not " + activated;
  }
}

std::optional<Refusal> Opening::record_all() {
  record_.transaction = files_.id();
  record_.run = request_.run;
  record_.holder_url = request_.holder_url;
  record_.since = host_.clock.wall();
  record_.boot = boot_id();
  record_.user = host_.user;
  record_.surroundings = host_.surroundings;
  record_running();
  for (std::size_t i = 0; i < request_.profiles.size(); ++i) {
    if (auto refusal = record_profile(i)) {
      return refusal;
    }
  }
  if (!request_.agent.empty()) {
    root(request_.agent, files_.folder() / "agent");
  }
  return std::nullopt;
}

/// How well this transaction will be looked after, for the event.
void Opening::protect() {
  auto& details = record_.details;
  details["detach"] = name_of(host_.detachment);
  if (host_.detachment == Detachment::session && kills_user_processes(host_.processes)) {
    details["detach_weak"] = "logind kills what a login leaves behind";
  }
  const bool armed = host_.detachment == Detachment::systemd &&
                     BootUnit().arm(request_.agent.empty() ? host_.program : request_.agent,
                                    host_.state_directory);
  details["reboot_protection"] = armed ? "boot-unit" : "none";
}

std::optional<Refusal> Opening::open() {
  make_folder();
  if (auto refusal = record_all()) {
    return refusal;
  }
  protect();
  RequestQueue(files_).touch(host_.clock.now(), record_.boot);
  write_record(files_.record(), record_); // from here on it is a transaction
  if (!ensure_keeper(files_, host_)) {
    return Refusal{"system", "no keeper could be started", {}};
  }
  return std::nullopt;
}

std::optional<Refusal> open_or_undo(Opening& opening) {
  try {
    auto refusal = opening.open();
    if (refusal) {
      opening.undo();
    }
    return refusal;
  } catch (...) {
    opening.undo();
    throw;
  }
}

} // namespace

std::string profile_path_for(const PrepareRequest::Profile& profile, const std::string& user,
                             const std::map<std::string, std::string>& environment) {
  if (profile.profile_path) {
    return *profile.profile_path;
  }
  const auto profiles = nix_state_directory(environment) / "profiles";
  if (user == "root") {
    return (profile.name == "system" ? profiles / "system"
                                     : profiles / "per-user" / "root" / profile.name)
        .string();
  }
  std::error_code unreadable;
  if (fs::is_directory(profiles / "per-user" / user, unreadable)) {
    return (profiles / "per-user" / user / profile.name).string();
  }
  const auto state = value_of(environment, "XDG_STATE_HOME");
  const auto base =
      state.empty() ? fs::path(value_of(environment, "HOME")) / ".local/state" : fs::path(state);
  return (base / "nix/profiles" / profile.name).string();
}

std::variant<TransactionStatus, Refusal> prepare(const PrepareRequest& request, const Host& host) {
  if (auto refusal = check(request)) {
    return *refusal;
  }
  const auto& environment = host.surroundings.environment;
  auto tools = find_nix_tools(path_with_nix(value_of(environment, "PATH"),
                                            nix_folders(value_of(environment, "HOME"), host.user)));
  if (!tools) {
    return Refusal{"nix-missing", "there is no nix-env and nix-store for " + host.user, {}};
  }
  secure_state_directory(host.state_directory);
  auto turn = take_turn(host);
  if (auto* refusal = std::get_if<Refusal>(&turn)) {
    return *refusal;
  }
  sweep(host);
  Opening opening(request, host, *tools);
  if (auto refusal = open_or_undo(opening)) {
    return *refusal;
  }
  auto status = status_of(*take_snapshot(opening.files(), host.clock));
  status.earlier = tell_earlier(host);
  return status;
}

} // namespace belay::agent
