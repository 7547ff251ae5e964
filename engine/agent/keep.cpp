// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/keep.h"

#include "engine/agent/boot_unit.h"
#include "engine/agent/canary_decisions.h"
#include "engine/agent/earlier.h"
#include "engine/agent/host.h"
#include "engine/agent/keeper.h"
#include "engine/agent/posix_scripts.h"
#include "engine/agent/profile_store.h"
#include "engine/agent/status.h"
#include "engine/base/error.h"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <sys/wait.h>
#include <unistd.h>

namespace belay::agent {

namespace {

constexpr std::chrono::seconds lock_limit{5};
constexpr std::chrono::seconds disarm_limit{20};
constexpr std::chrono::seconds restart_pause{1};
// At boot the next one waits for it. Who keeps waits for ever: nobody else would take back what may
// have shut everybody out.
constexpr std::chrono::seconds recover_patience{30};
constexpr int most_recoveries = 5; // of one transaction: at boot nobody else would try again

std::unique_ptr<Containment> make_containment(const TransactionFiles& files, const Record& record,
                                              ProcessRunner& processes) {
  const auto found = record.details.find("detach");
  const auto detachment = detachment_from(found == record.details.end() ? "" : found->second);
  if (detachment == Detachment::session || find_detachment(processes) != detachment) {
    return std::make_unique<SessionContainment>();
  }
  return std::make_unique<ScopeContainment>(
      processes, ScopeContainment::Options{.user_manager = detachment == Detachment::systemd_user,
                                           .folder = files.folder()});
}

/// Whoever opens a transaction arms the unit under this mutex. Not ours in time: it stays armed,
/// and finds nothing to do.
void disarm_unless_open(const std::filesystem::path& state_directory) {
  const auto mutex = FileLock::acquire(state_directory / "mutex", Wait::at_most(disarm_limit));
  if (mutex && !any_open(state_directory)) {
    BootUnit().disarm(state_directory);
  }
}

/// After the end: what the transaction needed is given back.
void conclude(const TransactionFiles& files, const View& view) {
  try {
    if (view.finished) {
      drop_roots(files);
    }
    disarm_unless_open(files.state_directory());
  } catch (const std::exception& error) { // an end is an end: nobody is to be started for the rest
    std::fprintf(stderr, "belay-agent: %s\n", error.what());
  }
}

/// What is wrong with the machine may pass, what is wrong with a text does not.
bool may_pass(const std::exception& error) {
  const auto* ours = dynamic_cast<const Error*>(&error);
  return ours == nullptr || ours->error_number() != 0;
}

template <class Function>
auto patiently(KeeperVerb verb, Clock& clock, const Function& function) -> decltype(function()) {
  const auto until = verb == KeeperVerb::keep ? Instant::max() : clock.now() + recover_patience;
  for (;;) {
    try {
      return function();
    } catch (const std::exception& error) {
      if (!may_pass(error) || clock.now() >= until) {
        throw;
      }
    }
    clock.sleep_until(clock.now() + restart_pause);
  }
}

/// What a keeper has in hand before it can note that it lives. A keeper that died of an error on
/// the way here would be begun anew each second, and counted by nobody: they are waited out.
struct Begun {
  Record record;
  std::optional<FileLock> lock;
  std::unique_ptr<JournalFile> journal;
  std::vector<Entry> entries;
};

/// nullopt where there is no such transaction.
std::optional<Begun> begin(const TransactionFiles& files, KeeperVerb verb, Clock& clock) {
  auto record = patiently(verb, clock, [&] { return read_record(files.record()); });
  if (!record) {
    return std::nullopt;
  }
  Begun begun{std::move(*record), {}, {}, {}};
  begun.lock = patiently(
      verb, clock, [&] { return FileLock::acquire(files.lock(), Wait::at_most(lock_limit)); });
  if (begun.lock) {
    begun.entries = patiently(verb, clock, [&] { return read_journal(files.journal()); });
    begun.journal =
        patiently(verb, clock, [&] { return std::make_unique<JournalFile>(files.journal()); });
  }
  return begun;
}

NixTools tools_for(const Record& record) {
  const auto& environment = record.surroundings.environment;
  const auto tools = find_nix_tools(path_with_nix(
      value_of(environment, "PATH"), nix_folders(value_of(environment, "HOME"), record.user)));
  // Gone since prepare? Then nix-env fails, and the links are put back by hand.
  return tools.value_or(NixTools{"nix-env", "nix-store"});
}

void reap_orphans() {
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

void keep_open(const TransactionFiles& files, const Begun& begun, KeeperVerb verb,
               ProcessRunner& processes, Clock& clock) {
  const auto& record = begun.record;
  record.surroundings.restore();
  CanaryDecisions decisions(files, record);
  NixProfiles profiles(tools_for(record), processes);
  const auto containment = make_containment(files, record, processes);
  Keeper* listener = nullptr;
  PosixScripts scripts(files, script_environment(record.surroundings.environment, record.user),
                       *containment, {.on_tick = [&] {
                         if (listener != nullptr) {
                           listener->listen();
                         }
                       }});
  Transaction transaction(record, View(record.profiles.size(), begun.entries),
                          {*begun.journal, decisions, profiles, scripts, clock, boot_id()});
  Keeper keeper(
      record, files, transaction, clock,
      {.mode = verb == KeeperVerb::keep ? Keeper::Mode::serve_requests : Keeper::Mode::recover,
       .between = reap_orphans});
  listener = &keeper;
  keeper.run();
  conclude(files, transaction.view());
}

} // namespace

int keep(const TransactionFiles& files, KeeperVerb verb, ProcessRunner& processes, Clock& clock) {
  const int is_none = verb == KeeperVerb::keep ? 0 : 1; // a unit that fails is started again
  std::optional<Begun> begun;
  try {
    begun = begin(files, verb, clock);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "belay-agent: transaction %s: %s\n", files.id().c_str(), error.what());
    return is_none;
  }
  if (!begun) {
    std::fprintf(stderr, "belay-agent: there is no transaction %s\n", files.id().c_str());
    return is_none;
  }
  const View view(begun->record.profiles.size(), begun->entries);
  if (begun->lock && !view.closed) {
    keep_open(files, *begun, verb, processes, clock);
  } else if (begun->lock) { // its keeper may have died before it had done that
    conclude(files, view);
  }
  return 0;
}

int keep_restarting(const TransactionFiles& files, KeeperVerb verb, ProcessRunner& processes,
                    Clock& clock) {
  for (;;) {
    const pid_t pid = fork();
    if (pid <= 0) { // the child; also where there is none to be had
      return keep(files, verb, processes, clock);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) <= 1) {
      return WEXITSTATUS(status);
    }
    clock.sleep_until(clock.now() + restart_pause);
  }
}

namespace {

/// What a later belay began only the agent that began it can judge: it is asked in any case.
bool needs_recovery(const TransactionFiles& files, const Clock& clock) {
  try {
    const auto snapshot = take_snapshot(files, clock);
    return snapshot && !snapshot->view.closed && !snapshot->kept;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::protocol || !agent_of(files)) {
      throw;
    }
    return !is_locked(files.lock());
  }
}

/// False where it did not come to an end.
bool recover_one(const TransactionFiles& files, ProcessRunner& processes, Clock& clock) {
  const auto print = [](std::string_view line) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
  };
  // A boot unit of the machine's own configuration may well start an agent of another release.
  const auto agent = agent_of(files).value_or(own_program());
  const ProcessSpec recover{.argv = KeeperCommand{agent, files, KeeperVerb::recover}.argv(),
                            .on_stderr_line = print};
  for (int attempt = 1; needs_recovery(files, clock); ++attempt) {
    const auto result = processes.run(recover, {});
    if (result.succeeded()) {
      return true;
    }
    if (attempt == most_recoveries) {
      return false;
    }
    clock.sleep_until(clock.now() + restart_pause);
  }
  return true;
}

} // namespace

int recover_all(const std::filesystem::path& state_directory, ProcessRunner& processes) {
  int worst = 0;
  SystemClock clock;
  for (const auto& id : list_transactions(state_directory)) {
    try {
      worst = recover_one({state_directory, id}, processes, clock) ? worst : 1;
    } catch (const std::exception& error) { // the others must not wait for this one for ever
      std::fprintf(stderr, "belay-agent: transaction %s: %s\n", id.c_str(), error.what());
      worst = 1;
    }
  }
  try { // what was armed for a transaction that never began, or whose keeper died at its end
    disarm_unless_open(state_directory);
  } catch (const Error&) { // there is no such folder, or it is another user's
  }
  return worst;
}

} // namespace belay::agent
