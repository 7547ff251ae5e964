// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/status.h"

#include "engine/agent/decision.h"
#include "engine/agent/profile_store.h"
#include "engine/agent/protocol_json.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>
#include <cerrno>

namespace belay::agent {

namespace {

/// The decision is taken before the keeper has noted it.
State state_now(const PrepareRequest::Profile& wanted, const ProfileView& view,
                std::optional<Verdict> verdict) {
  if (view.state != State::awaiting_confirm || !verdict) {
    return view.state;
  }
  if (*verdict == Verdict::expired) {
    return State::rolling_back;
  }
  return wanted.boot_after_confirm ? State::setting_boot_default : State::confirmed;
}

ProfileStatus profile_status(const RecordedProfile& recorded, const ProfileView& view,
                             std::optional<Verdict> verdict, const Clock& clock) {
  ProfileStatus status{.name = recorded.wanted.name,
                       .profile_path = recorded.path,
                       .state = state_now(recorded.wanted, view, verdict),
                       .reason = view.reason,
                       .message = view.message,
                       .recorded = recorded.generation,
                       .current = read_profile(recorded.path).generation,
                       .made = view.made,
                       .closure = recorded.wanted.closure,
                       .closure_matches = false,
                       .exit_status = view.exit_status,
                       .signal = view.signal,
                       .script_duration = view.script_duration,
                       .confirm_left = std::nullopt};
  status.closure_matches = status.current.path == recorded.closure_path;
  if (status.state == State::awaiting_confirm && view.deadline && view.boot == boot_id()) {
    status.confirm_left = std::max(Duration::zero(), Duration(*view.deadline - clock.now()));
  }
  return status;
}

std::string generation_text(const Generation& generation) {
  if (generation.path.empty()) {
    return "none";
  }
  return generation.number ? "generation " + std::to_string(*generation.number) : generation.path;
}

std::string phase_of(const Snapshot& snapshot) {
  if (snapshot.view.closed) {
    return "ended";
  }
  return snapshot.kept ? "open" : "open, but nobody keeps it: run `belay-agent recover`";
}

} // namespace

std::optional<Snapshot> take_snapshot(const TransactionFiles& files, const Clock& clock) {
  auto record = read_record(files.record());
  if (!record) {
    return std::nullopt;
  }
  const DecisionFiles decisions(files.folder());
  View view(record->profiles.size(), read_journal(files.journal()));
  std::vector<ProfileStatus> profiles;
  for (std::size_t i = 0; i < record->profiles.size(); ++i) {
    profiles.push_back(
        profile_status(record->profiles[i], view.profiles[i], decisions.read(i), clock));
  }
  const bool kept = !view.closed && is_locked(files.lock());
  return Snapshot{std::move(*record), std::move(view), kept, std::move(profiles)};
}

std::optional<Snapshot> snapshot_if_known(const TransactionFiles& files, const Clock& clock) {
  try {
    return take_snapshot(files, clock);
  } catch (const Error& error) {
    if (error.error_number() != 0 && error.error_number() != ENOENT) { // gone: swept by another
      throw;
    }
    return std::nullopt;
  }
}

TransactionStatus status_of(const Snapshot& snapshot) {
  return {.transaction = snapshot.record.transaction,
          .profiles = snapshot.profiles,
          .earlier = {},
          .details = snapshot.record.details};
}

namespace {

std::string describe(const std::string& id, const Snapshot& snapshot) {
  std::string text = id + "  " + format_time(snapshot.record.since) + "  " + phase_of(snapshot) +
                     "  run " + one_line(snapshot.record.run) + "\n";
  for (const auto& profile : snapshot.profiles) {
    text += "  " + one_line(profile.name) + ": " + std::string(name_of(profile.state)) + ", " +
            generation_text(profile.current) + ", before " + generation_text(profile.recorded) +
            (profile.message.empty() ? "" : "; " + profile.message) + "\n";
  }
  return text;
}

Json describe_as_json(const std::string& id, const Snapshot& snapshot) {
  auto profiles = Json::array();
  for (const auto& profile : snapshot.profiles) {
    profiles.push_back(to_json(profile));
  }
  return {{"transaction", id},
          {"run", snapshot.record.run},
          {"since", format_time(snapshot.record.since)},
          {"open", !snapshot.view.closed},
          {"kept", snapshot.kept},
          {"profiles", std::move(profiles)}};
}

} // namespace

std::string describe_all(const std::filesystem::path& state_directory, const Clock& clock) {
  std::string text;
  for (const auto& id : list_transactions(state_directory)) {
    try {
      const auto snapshot = take_snapshot({state_directory, id}, clock);
      text += snapshot ? describe(id, *snapshot) : "";
    } catch (const std::exception& error) { // the others are to be seen all the same
      text += id + "  cannot be read: " + one_line(error.what()) + "\n";
    }
  }
  return text.empty() ? "no transactions in " + state_directory.string() + "\n" : text;
}

std::string describe_all_as_json(const std::filesystem::path& state_directory, const Clock& clock) {
  auto transactions = Json::array();
  for (const auto& id : list_transactions(state_directory)) {
    try {
      if (const auto snapshot = take_snapshot({state_directory, id}, clock)) {
        transactions.push_back(describe_as_json(id, *snapshot));
      }
    } catch (const std::exception& error) {
      transactions.push_back({{"transaction", id}, {"error", error.what()}});
    }
  }
  return dump({{"transactions", std::move(transactions)}}) + "\n";
}

} // namespace belay::agent
