// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/earlier.h"

#include "engine/agent/deploy_log.h"
#include "engine/agent/fault_point.h"
#include "engine/agent/opening.h"
#include "engine/agent/requests.h"
#include "engine/agent/status.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>
#include <optional>
#include <thread>
#include <unistd.h>

namespace belay::agent {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds mutex_limit{20};
// How long a new deploy waits for the end of one that nobody kept: its rollback re-activates.
constexpr std::chrono::minutes recovery_limit{5};
constexpr int most_attempts = 5; // a keeper that dies at once would die for ever
constexpr std::chrono::hours keep_for{24};
// Its run knows how it ended, and each one that is kept is read by every prepare.
constexpr std::chrono::hours keep_finished_for{1};

/// The longest that a transaction takes to end when nobody asks for it: each script may overrun its
/// time and have to be stopped, forth, to the boot default and back.
std::chrono::seconds longest_rest(const Record& record) {
  auto rest = idle_limit;
  for (const auto& profile : record.profiles) {
    const auto& wanted = profile.wanted;
    const auto script = wanted.activation_timeout + script_stop_limit;
    const auto patient = script + foreign_lock_patience;
    rest += script + wanted.confirm_timeout + patient;
    rest += wanted.boot_after_confirm ? patient : std::chrono::seconds(0);
  }
  return rest;
}

bool is_attended(const TransactionFiles& files, const Clock& clock) {
  const auto seen = RequestQueue(files).last_seen(boot_id());
  return seen && clock.now() - *seen < attended_limit;
}

/// One that nobody keeps, though it was tried, has no end by itself: nobody is to wait for that.
Refusal held_by(const TransactionFiles& files, const Snapshot& open, const Host& host) {
  const auto& record = open.record;
  const bool left_alone = open.kept && !is_attended(files, host.clock);
  return {"lock-held",
          "the target is held by run " + one_line(record.run) + " since " +
              format_time(record.since),
          {{"run", record.run},
           {"node", record.node},
           {"url", record.holder_url},
           {"since", format_time(record.since)},
           {"transaction", record.transaction},
           {"attended", left_alone ? "false" : "true"},
           {"rest_s", std::to_string(longest_rest(record).count())}}};
}

/// What the runner makes a sentence of.
Refusal left_alone(Refusal held) {
  held.message += "; that deploy is unfinished, and a dry run leaves it as it is";
  held.details["unfinished"] = "true";
  return held;
}

bool is_dry(const Record& record) {
  return std::all_of(record.profiles.begin(), record.profiles.end(),
                     [](const auto& profile) { return profile.wanted.mode == Mode::dry; });
}

std::vector<TransactionFiles> all_transactions(const fs::path& state_directory) {
  std::vector<TransactionFiles> all;
  for (const auto& id : list_transactions(state_directory)) {
    all.emplace_back(state_directory, id);
  }
  return all;
}

/// Whether it set a profile of the request to something else, and that was confirmed.
bool has_deployed_otherwise(const Snapshot& snapshot, const PrepareRequest& request,
                            const Host& host) {
  for (const auto& wanted : request.profiles) {
    const auto path = profile_path_for(wanted, host.user, host.surroundings.environment);
    for (std::size_t i = 0; i < snapshot.record.profiles.size(); ++i) {
      const auto& other = snapshot.record.profiles[i];
      if (other.path == path && other.wanted.closure != wanted.closure &&
          snapshot.profiles[i].state == State::confirmed) {
        return true;
      }
    }
  }
  return false;
}

/// The first that is open.
std::optional<std::pair<TransactionFiles, Snapshot>> find_open(const Host& host) {
  for (const auto& files : all_transactions(host.state_directory)) {
    if (auto snapshot = snapshot_if_known(files, host.clock); snapshot && !snapshot->view.closed) {
      return std::pair(files, std::move(*snapshot));
    }
  }
  return std::nullopt;
}

/// One that cannot be read but is being kept: whatever it is doing, we must not do anything beside.
std::optional<Refusal> held_by_unreadable(const Host& host) {
  for (const auto& files : all_transactions(host.state_directory)) {
    if (is_locked(files.lock()) && !snapshot_if_known(files, host.clock)) {
      return Refusal{"lock-held",
                     "the target is held by transaction " + files.id() +
                         ", whose record cannot be read",
                     {{"transaction", files.id()}}};
    }
  }
  return std::nullopt;
}

/// It goes in any case: what is not kept of it now is lost.
void keep_log_if_possible(const TransactionFiles& files) {
  try {
    keep_log(files);
  } catch (const std::exception&) { // a full disk, say
  }
}

/// What it cannot be noted of is told again, which is better than never.
void note_reported(const TransactionFiles& files) {
  try {
    const CutAround cut(Deed::write_reported);
    replace_file(files.reported(), "", {.mode = 0600});
  } catch (const Error&) { // a full disk
  }
}

bool something_happened(const Snapshot& snapshot) {
  return std::any_of(snapshot.profiles.begin(), snapshot.profiles.end(), [](const auto& profile) {
    return profile.state != State::prepared && profile.state != State::dry_run;
  });
}

/// However old, it waits for a run to be told.
bool is_untold(const TransactionFiles& files, const Snapshot& snapshot) {
  return !snapshot.view.finished && something_happened(snapshot) && !fs::exists(files.reported());
}

/// What cannot be read just now: the transaction that is open does not depend on it.
template <class Read> auto or_nothing(const Read& read) -> decltype(read()) {
  try {
    return read();
  } catch (const std::exception&) {
    return {};
  }
}

/// None once the run that has opened `opened` has asked for anything to be done.
std::vector<std::pair<TransactionFiles, Snapshot>> untold(const View& opened, const Host& host) {
  std::vector<std::pair<TransactionFiles, Snapshot>> found;
  if (opened.closed || !opened.requests.empty()) {
    return found;
  }
  std::error_code unknown;
  for (const auto& files : or_nothing([&] { return all_transactions(host.state_directory); })) {
    auto snapshot = or_nothing([&] { return snapshot_if_known(files, host.clock); });
    if (snapshot && snapshot->view.closed && !snapshot->view.finished &&
        !fs::exists(files.reported(), unknown)) {
      found.emplace_back(files, std::move(*snapshot));
    }
  }
  return found;
}

/// Its run has said finish and nothing is left to decide: it closes within a tick.
bool is_ending(const Snapshot& snapshot) {
  return snapshot.view.finished &&
         std::all_of(snapshot.profiles.begin(), snapshot.profiles.end(), [](const auto& profile) {
           return is_final(profile.state) || profile.state == State::prepared;
         });
}

/// What nobody keeps and only the agent that began it can read. Under the mutex: what is just being
/// opened has no keeper yet either.
std::vector<std::pair<TransactionFiles, std::string>> left_by_a_later_belay(const Host& host) {
  std::vector<std::pair<TransactionFiles, std::string>> left;
  const auto mutex = FileLock::acquire(host.state_directory / "mutex", Wait::at_most(mutex_limit));
  if (!mutex) {
    return left;
  }
  for (const auto& files : all_transactions(host.state_directory)) {
    auto agent = agent_of(files);
    if (agent && fs::exists(files.record()) && !is_locked(files.lock()) &&
        !snapshot_if_known(files, host.clock)) {
      left.emplace_back(files, std::move(*agent));
    }
  }
  return left;
}

/// Or a second deploy would stand beside it, which would take what is not confirmed for what was
/// there before. One that has ended its agent leaves as it is, and where that can do nothing,
/// nobody can; while it is at work the target is held.
std::optional<Refusal> end_what_is_later(const Host& host) {
  for (const auto& [files, agent] : left_by_a_later_belay(host)) {
    ProcessResult ended;
    try {
      ended = host.processes.run({.argv = KeeperCommand{agent, files, KeeperVerb::recover}.argv()},
                                 Wait::at_most(recovery_limit));
    } catch (const Error&) { // no program of this machine's
      continue;
    }
    if (ended.end != ProcessResult::End::exited) {
      return Refusal{"lock-held",
                     "the target is held by transaction " + files.id() +
                         " of a later belay, whose agent " + ended.describe() +
                         " before it had brought that to an end",
                     {{"transaction", files.id()}}};
    }
  }
  return std::nullopt;
}

} // namespace

std::variant<FileLock, Refusal> take_turn(const Host& host, Orphans orphans) {
  if (orphans == Orphans::end) {
    if (auto refusal = end_what_is_later(host)) {
      return *refusal;
    }
  }
  const auto wait = Wait::at_most(recovery_limit);
  std::string adopted; // the one that we have put a keeper to
  int attempts = 0;
  for (;;) {
    auto mutex = FileLock::acquire(host.state_directory / "mutex", Wait::at_most(mutex_limit));
    const auto open = find_open(host);
    if (mutex && !open) {
      if (auto refusal = held_by_unreadable(host)) {
        return *refusal;
      }
      return std::move(*mutex);
    }
    const bool ending = open && (open->first.id() == adopted || is_ending(open->second));
    if (!mutex || (open->second.kept && !ending) || wait.expired()) {
      return open ? held_by(open->first, open->second, host)
                  : Refusal{"lock-held", "another deploy is just beginning", {}};
    }
    if (!open->second.kept) {
      if (orphans == Orphans::leave && !is_dry(open->second.record)) {
        return left_alone(held_by(open->first, open->second, host));
      }
      if (++attempts > most_attempts) {
        return held_by(open->first, open->second, host);
      }
      adopted = open->first.id();
      ensure_keeper(open->first, host, KeeperVerb::recover);
    }
    mutex.reset();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

std::optional<Refusal> deployed_by_twin(const PrepareRequest& request, const Host& host) {
  for (const auto& files : all_transactions(host.state_directory)) {
    const auto snapshot = snapshot_if_known(files, host.clock);
    if (snapshot && snapshot->record.run == request.run && !snapshot->record.node.empty() &&
        snapshot->record.node != request.node && has_deployed_otherwise(*snapshot, request, host)) {
      auto refusal = held_by(files, *snapshot, host);
      refusal.details["deployed"] = "true";
      return refusal;
    }
  }
  return std::nullopt;
}

void drop_roots(const TransactionFiles& files) {
  const CutAround cut(Deed::drop_roots);
  // Every symlink in there is a root or an alias of one.
  std::vector<fs::path> links;
  std::error_code problem;
  for (fs::recursive_directory_iterator entry(files.folder(), problem), end;
       !problem && entry != end; entry.increment(problem)) {
    if (entry->is_symlink()) {
      links.push_back(entry->path());
    }
  }
  for (const auto& link : links) {
    unlink(link.c_str());
  }
}

void sweep(const Host& host) {
  for (const auto& files : all_transactions(host.state_directory)) {
    const auto snapshot = snapshot_if_known(files, host.clock);
    const bool never_was = !fs::exists(files.record()); // its prepare died: we hold the mutex
    const bool old = snapshot && snapshot->view.closed &&
                     host.clock.wall() - snapshot->view.closed_at >=
                         (snapshot->view.finished ? keep_finished_for : keep_for);
    if (never_was || (old && !is_untold(files, *snapshot))) {
      keep_log_if_possible(files);
      const CutAround cut(Deed::sweep);
      std::error_code ignored;
      fs::remove_all(files.folder(), ignored);
    } else if (snapshot && snapshot->view.closed && (old || snapshot->view.finished)) {
      drop_roots(files);
    }
  }
}

std::vector<EarlierTransaction> ends_to_tell(const View& opened, const Host& host) {
  std::vector<EarlierTransaction> earlier;
  for (auto& [files, snapshot] : untold(opened, host)) {
    if (something_happened(snapshot)) {
      earlier.push_back({files.id(), snapshot.record.run, std::move(snapshot.profiles)});
    }
  }
  return earlier;
}

TransactionStatus status_with_earlier(const Snapshot& opened, const Host& host) {
  auto status = status_of(opened);
  status.earlier = ends_to_tell(opened.view, host);
  return status;
}

void note_told(const View& opened, const Host& host) {
  for (const auto& [files, snapshot] : untold(opened, host)) {
    note_reported(files);
  }
}

bool any_open(const fs::path& state_directory) {
  const SystemClock clock;
  try {
    const auto all = all_transactions(state_directory);
    return std::any_of(all.begin(), all.end(), [&](const auto& files) {
      const auto snapshot = snapshot_if_known(files, clock);
      return snapshot ? !snapshot->view.closed : is_locked(files.lock());
    });
  } catch (const std::exception&) { // not known: what is armed had better stay
    return true;
  }
}

} // namespace belay::agent
