// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/reopen.h"

#include "engine/agent/boot_unit.h"
#include "engine/agent/decision.h"
#include "engine/agent/earlier.h"
#include "engine/agent/journal.h"
#include "engine/agent/nix_tools.h"
#include "engine/agent/requests.h"
#include "engine/agent/status.h"
#include "engine/base/error.h"
#include "engine/base/store_path.h"
#include "engine/base/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/stat.h>

namespace belay::agent {

namespace {

struct Past {
  TransactionFiles files;
  Snapshot snapshot;
};

std::optional<Past> find_last(const std::string& profile_path, const Host& host) {
  std::optional<Past> last;
  for (const auto& id : list_transactions(host.state_directory)) {
    const TransactionFiles files(host.state_directory, id);
    auto snapshot = snapshot_if_known(files, host.clock);
    if (snapshot && snapshot->record.run == deploy_rs_run &&
        snapshot->record.profiles.at(0).path == profile_path &&
        (!last || snapshot->record.since > last->snapshot.record.since)) {
      last = Past{files, std::move(*snapshot)};
    }
  }
  return last;
}

/// What a keeper wrote about itself and its end is not true of the new one.
bool is_carried_over(Step step) {
  constexpr std::array left{Step::keeping, Step::request, Step::abandoned, Step::finished,
                            Step::closed};
  return std::find(left.begin(), left.end(), step) == left.end();
}

void make_folder(const TransactionFiles& files) {
  for (const auto& folder : {files.folder(), files.requests()}) {
    if (mkdir(folder.c_str(), 0700) != 0) {
      throw Error::from_errno("cannot make the folder " + folder.string(), errno);
    }
  }
  sync_directory(files.state_directory());
  DecisionFiles(files.folder()).create(0);
}

void root(RecordedProfile& profile, const TransactionFiles& files, const Host& host) {
  const auto& environment = host.surroundings.environment;
  const auto tools = find_nix_tools(path_with_nix(
      value_of(environment, "PATH"), nix_folders(value_of(environment, "HOME"), host.user)));
  if (!tools) {
    throw Error(ErrorKind::nix_missing, "there is no nix-env and nix-store for " + host.user);
  }
  if (StorePath::parse(profile.generation.path)) {
    add_root(*tools, host.processes, profile.generation.path, files.folder() / "0/previous");
  }
  if (StorePath::parse(profile.reactivate) && profile.reactivate != profile.generation.path) {
    try { // what ran was not what the profile had, and the root of its own time may have gone
      add_root(*tools, host.processes, profile.reactivate, files.folder() / "running");
    } catch (const Error&) {
      if (profile.generation.path.empty()) {
        throw;
      }
      profile.reactivate = profile.generation.path; // the best that is left
    }
  }
  try { // this agent is in it
    add_root(*tools, host.processes, profile.wanted.closure, files.folder() / "0/new");
  } catch (const Error&) { // gone, so the profile is another's by now: the keeper will say so
  }
}

void fill(const TransactionFiles& files, const Past& past, const Host& host) {
  make_folder(files);
  auto record = past.snapshot.record;
  record.transaction = files.id();
  record.since = host.clock.wall();
  if (record.boot != boot_id()) { // what was only to be booted may be what runs
    record.profiles.front().wanted.mode = Mode::activate;
  }
  record.boot = boot_id();
  record.surroundings = host.surroundings;
  record.details["detach"] = name_of(host.detachment);
  root(record.profiles.front(), files, host);
  {
    JournalFile journal(files.journal());
    for (const auto& entry : read_journal(past.files.journal())) {
      if (is_carried_over(entry.step)) {
        journal.append(entry);
      }
    }
  }
  if (host.detachment == Detachment::systemd) {
    BootUnit().arm(host.program, host.state_directory);
  }
  RequestQueue(files).touch(host.clock.now(), record.boot);
  write_record(files.record(), record); // from here on it is a transaction
}

/// The same past is not to be taken back twice.
Refusal nothing(const std::string& profile_path, const std::string& why) {
  return {"nothing-to-revoke", profile_path + ": " + why, {}};
}

} // namespace

std::variant<TransactionFiles, Refusal> reopen_last(const std::string& profile_path,
                                                    const Host& host) {
  secure_state_directory(host.state_directory);
  auto turn = take_turn(host);
  if (auto* refusal = std::get_if<Refusal>(&turn)) {
    return *refusal;
  }
  const auto past = find_last(profile_path, host);
  if (!past) {
    return nothing(profile_path,
                   "no activation of deploy-rs's is recorded, so it is not known what "
                   "was there before");
  }
  const auto state = past->snapshot.profiles.at(0).state;
  if (state != State::confirmed && state != State::failed) {
    return nothing(profile_path,
                   "its last activation was taken back already: " + std::string(name_of(state)));
  }
  const TransactionFiles files(host.state_directory, random_hex(12));
  try {
    fill(files, *past, host);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove_all(files.folder(), ignored);
    throw;
  }
  if (!ensure_keeper(files, host)) {
    return Refusal{"system", "no keeper could be started", {}};
  }
  return files;
}

} // namespace belay::agent
