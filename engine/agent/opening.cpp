// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/opening.h"

#include "engine/agent/decision.h"
#include "engine/agent/fault_point.h"
#include "engine/agent/journal.h"
#include "engine/agent/requests.h"
#include "engine/agent/scripts.h"
#include "engine/base/error.h"
#include "engine/base/store_path.h"
#include "engine/base/text.h"

#include <algorithm>
#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

namespace belay::agent {

namespace fs = std::filesystem;

namespace {

constexpr const char* running_root = "running";

fs::path nix_state_directory(const std::map<std::string, std::string>& environment) {
  const auto set = value_of(environment, "NIX_STATE_DIR");
  return set.empty() ? fs::path("/nix/var/nix") : fs::path(set);
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
  const auto state = value_of(environment, "XDG_STATE_HOME");
  const auto base =
      state.empty() ? fs::path(value_of(environment, "HOME")) / ".local/state" : fs::path(state);
  const auto at_home = base / "nix/profiles" / profile.name;
  const auto folder = profiles / "per-user" / user;
  std::error_code unreadable;
  const bool only_at_home =
      fs::is_symlink(at_home, unreadable) && !fs::is_symlink(folder / profile.name, unreadable);
  return fs::is_directory(folder, unreadable) && !only_at_home ? (folder / profile.name).string()
                                                               : at_home.string();
}

Opening::Opening(const PrepareRequest& request, const Host& host, NixTools tools)
    : request_(request), host_(host), tools_(std::move(tools)), profiles_(tools_, host.processes),
      files_(host.state_directory, random_hex(12)) {}

std::optional<Refusal> Opening::open() {
  std::error_code ignored;
  try {
    auto refusal = try_to_open();
    if (refusal) {
      fs::remove_all(files_.folder(), ignored);
    }
    return refusal;
  } catch (...) {
    fs::remove_all(files_.folder(), ignored);
    throw;
  }
}

std::optional<Refusal> Opening::try_to_open() {
  make_folder();
  record_transaction();
  for (const auto& wanted : request_.profiles) {
    if (auto refusal = record_profile(wanted)) {
      return refusal;
    }
  }
  if (auto refusal = root_all()) {
    return refusal;
  }
  if (auto refusal = check_scripts()) {
    return refusal;
  }
  for (auto& profile : record_.profiles) {
    note_drift(profile);
  }
  protect();
  RequestQueue(files_).touch(host_.clock.now(), record_.boot);
  write_record(files_.record(), record_); // from here on it is a transaction
  const auto kept = ensure_keeper(files_, host_);
  if (!kept) {
    return Refusal{"system", "no keeper could be started", {}};
  }
  if (*kept != host_.detachment) { // less than what this host promised
    note_detachment(*kept);
    try {
      write_record(files_.record(), record_);
    } catch (const Error&) { // it is kept: that it is kept badly is not worth its end
    }
  }
  return std::nullopt;
}

void Opening::make_folder() const {
  for (const auto& folder : {files_.folder(), files_.requests()}) {
    const CutAround cut(Deed::make_folder);
    if (mkdir(folder.c_str(), 0700) != 0) {
      throw Error::from_errno("cannot make the folder " + folder.string(), errno);
    }
  }
  sync_directory(files_.state_directory()); // or a power cut takes it with all that is in it
  DecisionFiles decisions(files_.folder());
  for (std::size_t i = 0; i < request_.profiles.size(); ++i) {
    decisions.create(i);
  }
  JournalFile journal(files_.journal());
}

void Opening::record_transaction() {
  record_.transaction = files_.id();
  record_.run = request_.run;
  record_.node = request_.node;
  record_.holder_url = request_.holder_url;
  record_.since = host_.clock.wall();
  record_.boot = boot_id();
  record_.user = host_.user;
  record_.running = real_path("/run/current-system");
  record_.booted = real_path("/run/booted-system");
  record_.surroundings = host_.surroundings;
}

/// In a folder that somebody else may write to, what we read and what we set is up to him.
std::optional<Refusal> Opening::check_folder(const fs::path& folder) {
  struct stat facts {};
  if (stat(folder.c_str(), &facts) != 0) {
    return std::nullopt; // a dry run on a new host: nothing is set
  }
  if (facts.st_uid != geteuid()) {
    return Refusal{"system",
                   "the profile's folder " + folder.string() + " belongs to user " +
                       std::to_string(facts.st_uid) + ", not to " + host_.user +
                       ": deploy it as its owner",
                   {}};
  }
  if ((facts.st_mode & S_IWOTH) != 0) {
    return Refusal{"system",
                   "everybody may write to the profile's folder " + folder.string() +
                       ": take that away from others",
                   {}};
  }
  return std::nullopt;
}

std::optional<Refusal> Opening::record_profile(const PrepareRequest::Profile& wanted) {
  RecordedProfile profile{.wanted = wanted};
  profile.path = profile_path_for(wanted, host_.user, host_.surroundings.environment);
  for (const auto& other : record_.profiles) {
    if (other.path == profile.path) {
      return Refusal{"protocol", "two profiles have the path " + profile.path, {}};
    }
  }
  if (wanted.mode != Mode::dry) {
    const CutAround cut(Deed::make_profile_folder);
    fs::create_directories(fs::path(profile.path).parent_path()); // umask is 022
  }
  if (auto refusal = check_folder(fs::path(profile.path).parent_path())) {
    return refusal;
  }
  const auto reading = profiles_.read(profile.path);
  profile.link = reading.link;
  profile.generation = reading.generation;
  profile.reactivate = reading.generation.path;
  for (const auto& [number, path] : profiles_.generations(profile.path)) {
    profile.numbers.push_back(number);
  }
  record_.profiles.push_back(std::move(profile));
  return std::nullopt;
}

std::vector<Root> Opening::wanted_roots() const {
  std::vector<Root> roots;
  for (std::size_t i = 0; i < record_.profiles.size(); ++i) {
    const auto folder = std::to_string(i) + "/";
    roots.push_back({record_.profiles[i].wanted.closure, folder + "new"});
    roots.push_back({record_.profiles[i].generation.path, folder + "previous"});
  }
  roots.push_back({record_.running, running_root});
  roots.push_back({request_.agent, "agent"});
  std::erase_if(roots, [](const Root& root) { return !StorePath::parse(root.path); });
  return roots;
}

/// All at once; where that fails, one by one to see which.
std::optional<Refusal> Opening::root_all() {
  const CutAround cut(Deed::add_roots);
  const auto roots = wanted_roots();
  if (add_roots(tools_, host_.processes, roots, files_.folder())) {
    return std::nullopt;
  }
  for (const auto& root : roots) {
    const auto link = files_.folder() / root.name;
    std::error_code missing;
    fs::remove(link, missing);
    try {
      add_root(tools_, host_.processes, root.path, link);
    } catch (const Error& error) {
      if (root.name != running_root) {
        return Refusal{"path-invalid", error.message(), {}};
      }
      record_.running.clear(); // it runs, but the store does not know it: no way back to it
    }
  }
  return std::nullopt;
}

std::optional<Refusal> Opening::check_scripts() {
  for (auto& profile : record_.profiles) {
    const auto& closure = profile.wanted.closure;
    if (!find_script(closure, ScriptCall::Kind::activation)) {
      return Refusal{"no-activation",
                     "profile \"" + profile.wanted.name + "\": nothing activates " + closure +
                         ": it has neither " + join(activation_programs(), " nor "),
                     {}};
    }
    if (auto refusal = check_mode(profile.wanted)) {
      return refusal;
    }
    if (profile.wanted.boot_after_confirm) {
      if (!find_script(closure, ScriptCall::Kind::trial)) {
        return Refusal{"no-activation",
                       closure +
                           " has no bin/switch-to-configuration, so it cannot be tried before "
                           "it is booted: take bootDefault: afterConfirm from profile \"" +
                           profile.wanted.name + "\"",
                       {}};
      }
      record_.details["boot_default"] = "after-confirm";
    }
    profile.closure_path = real_path(closure);
  }
  return std::nullopt;
}

/// A script that does not know the mode would activate.
std::optional<Refusal> Opening::check_mode(const PrepareRequest::Profile& wanted) {
  if (wanted.mode == Mode::activate) {
    return std::nullopt;
  }
  const bool dry = wanted.mode == Mode::dry;
  if (!find_script(wanted.closure, dry ? ScriptCall::Kind::dry : ScriptCall::Kind::boot)) {
    return Refusal{"no-activation",
                   wanted.closure + " has no deploy-rs-activate that heeds " +
                       (dry ? "DRY_ACTIVATE" : "BOOT") +
                       " and no bin/switch-to-configuration: it can be activated, but not " +
                       (dry ? "tried without that" : "set to be booted without that"),
                   {}};
  }
  record_.details["mode"] = name_of(wanted.mode);
  return std::nullopt;
}

/// What ran may not be what the profile says: then a rollback re-activates what ran. Where there is
/// no generation (a system that was booted over the network) that is all there is to go back to.
void Opening::note_drift(RecordedProfile& profile) {
  const auto system = nix_state_directory(host_.surroundings.environment) / "profiles" / "system";
  const bool none = profile.generation.path.empty();
  const auto activated = activated_by(profile.generation.path);
  if (profile.path != system.string() || record_.running.empty() || activated == record_.running ||
      (activated.empty() && !none)) {
    return;
  }
  if (profile.wanted.mode == Mode::activate || none) { // else nothing is done to what runs
    profile.reactivate = record_.running;
  }
  record_.details["drift"] =
      record_.running + " ran, " + (none ? "of no generation" : "not " + activated);
}

/// How well this transaction will be looked after, for the event.
void Opening::protect() {
  note_detachment(host_.detachment);
  const bool dry = std::all_of(record_.profiles.begin(), record_.profiles.end(),
                               [](const auto& p) { return p.wanted.mode == Mode::dry; });
  if (dry) { // nothing that a reboot could leave half done
    return;
  }
  const bool armed = host_.detachment == Detachment::systemd &&
                     BootUnit().arm(request_.agent.empty() ? host_.program : request_.agent,
                                    host_.state_directory);
  record_.details["reboot_protection"] = armed ? "boot-unit" : "none";
}

void Opening::note_detachment(Detachment detachment) {
  auto& details = record_.details;
  details["detach"] = name_of(detachment);
  if (detachment == Detachment::session && kills_user_processes(host_.processes)) {
    details["detach_weak"] = "logind kills what a login leaves behind";
  } else if (detachment != host_.detachment) {
    details["detach_weak"] = "systemd did not take the keeper's unit";
  }
}

} // namespace belay::agent
