// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/posix_scripts.h"

#include "engine/agent/fault_point.h"
#include "engine/agent/nix_tools.h"
#include "engine/agent/script_output.h"
#include "engine/agent/spawn.h"
#include "engine/base/clock.h"
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace belay::agent {

namespace {

constexpr Duration tick_interval{20};
constexpr std::size_t tail_size = 4096;
constexpr int least_kills = 3; // between a look and its KILL something may still have forked

/// Collects whatever has ended; the status of `pid` if that is among it.
std::optional<int> reap(pid_t pid) {
  std::optional<int> status;
  int one = 0;
  for (pid_t ended = waitpid(-1, &one, WNOHANG); ended > 0; ended = waitpid(-1, &one, WNOHANG)) {
    if (ended == pid) {
      status = one;
    }
  }
  return status;
}

ScriptResult result_of(int status) {
  ScriptResult result;
  if (WIFSIGNALED(status)) {
    result.end = ScriptResult::End::signalled;
    result.signal = signal_name(WTERMSIG(status));
  } else {
    result.exit_status = WEXITSTATUS(status);
  }
  return result;
}

void signal_all(const std::vector<pid_t>& pids, int number) {
  for (const auto pid : pids) {
    kill(pid, number);
    kill(pid, SIGCONT); // one that is stopped would not see TERM
  }
}

/// The file with the mark of the last run; what may run at the same time as another has its own.
const char* mark_file(ScriptCall::Kind kind) {
  switch (kind) {
  case ScriptCall::Kind::activation:
  case ScriptCall::Kind::trial:
  case ScriptCall::Kind::dry:
    return "mark";
  case ScriptCall::Kind::boot:
    return "boot-mark";
  case ScriptCall::Kind::rollback:
  case ScriptCall::Kind::boot_back:
    return "back-mark";
  }
  return "";
}

/// What is set of BOOT.
const char* boot_variable(ScriptCall::Kind kind) {
  return kind == ScriptCall::Kind::boot || kind == ScriptCall::Kind::boot_back ? "1" : "0";
}

/// Nothing to run, because there is no script, or because there is nothing.
ScriptResult nothing_of(const std::string& generation) {
  if (access(generation.c_str(), F_OK) == 0) {
    return {.end = ScriptResult::End::none};
  }
  return {.end = ScriptResult::End::unstarted,
          .message = Error::from_errno("cannot look at " + generation, errno).message()};
}

/// A short script should not pay for a long interval: 1, 2, 4 … ms.
class Pace {
public:
  void wait() {
    std::this_thread::sleep_for(next_);
    next_ = std::min(next_ * 2, tick_interval);
  }

private:
  Duration next_{1};
};

} // namespace

std::map<std::string, std::string> script_environment(std::map<std::string, std::string> recorded,
                                                      const std::string& user) {
  const auto runtime = "/run/user/" + std::to_string(geteuid());
  std::error_code unreadable;
  if (!recorded.contains("XDG_RUNTIME_DIR") && std::filesystem::is_directory(runtime, unreadable)) {
    recorded["XDG_RUNTIME_DIR"] = runtime;
  }
  recorded["PATH"] = path_with_nix(recorded["PATH"], nix_folders(recorded["HOME"], user));
  return recorded;
}

PosixScripts::PosixScripts(TransactionFiles files, std::map<std::string, std::string> environment,
                           Containment& containment, Options options)
    : files_(std::move(files)), environment_(std::move(environment)), containment_(containment),
      options_(std::move(options)) {
  become_subreaper();
}

std::map<std::string, std::string> PosixScripts::environment_for(const ScriptCall& call,
                                                                 const std::string& mark) const {
  auto environment = environment_;
  environment["PROFILE"] = call.profile_path;
  environment[mark_variable] = mark;
  environment.erase("DRY_ACTIVATE");
  environment.erase("BOOT");
  if (call.kind != ScriptCall::Kind::rollback) {
    environment["DRY_ACTIVATE"] = call.kind == ScriptCall::Kind::dry ? "1" : "0";
    environment["BOOT"] = boot_variable(call.kind);
  }
  return environment;
}

/// Each run has a mark of its own, or a second one would be taken for the first; the last one is
/// written down for a keeper that has to clean up after us.
std::string PosixScripts::next_mark(const ScriptCall& call) {
  const auto folder = files_.profile(call.profile);
  const bool back = goes_back(call.kind);
  const auto mark = files_.id() + "-act-" + std::to_string(call.profile) +
                    (back                                  ? "-back-"
                     : call.kind == ScriptCall::Kind::boot ? "-boot-"
                                                           : "-") +
                    random_hex(2);
  try {
    const CutAround cut(Deed::write_mark);
    replace_file(folder / mark_file(call.kind), mark, {.mode = 0600});
  } catch (const Error&) {
    if (!back) {
      throw; // no room to run anything safely; on the way back we must all the same
    }
  }
  return mark;
}

ScriptResult PosixScripts::run(const ScriptCall& call) {
  try {
    const auto command = find_script(call.generation, call.kind);
    if (!command) {
      return nothing_of(call.generation);
    }
    const auto mark = next_mark(call);
    auto result = run_in(containment_, call, *command, mark);
    if (containment_.entered(mark) || !result.emptied) {
      return result;
    }
    // No scope to be had. On the way back that must not matter; forward, time that is up is up.
    const bool late = result.end == ScriptResult::End::timed_out;
    return late && !goes_back(call.kind) ? result : run_in(session_, call, *command, mark);
  } catch (const std::exception& error) {
    return {.end = ScriptResult::End::unstarted, .message = error.what()};
  }
}

/// Throws nothing once something runs: who calls must know whether it still does.
ScriptResult PosixScripts::run_in(Containment& containment, const ScriptCall& call,
                                  const ScriptCommand& command, const std::string& mark) {
  std::vector<std::string> argv = {command.program};
  if (!command.argument.empty()) {
    argv.push_back(command.argument);
  }
  const auto begin = BootClock::now();
  ScriptResult result;
  pid_t pid = 0;
  try {
    in_session_ = &containment == &session_;
    session_.look_around(); // it is what is left where the other one cannot look
    ScriptOutputFile output(files_.output(call.profile), options_.output_cap);
    {
      const CutAround cut(Deed::start_script);
      pid = spawn({.argv = containment.wrap(mark, argv),
                   .environment = environment_for(call, mark),
                   .directory = call.profile_path,
                   .output = files_.output(call.profile)});
    }
    result = await(pid, call, mark, output);
  } catch (const std::exception& error) {
    result = {.end = pid > 0 ? ScriptResult::End::lost : ScriptResult::End::unstarted,
              .emptied = pid == 0 || stop(mark, true),
              .message = error.what()};
  }
  result.duration = BootClock::now() - begin;
  return result;
}

/// nullopt where nothing could be seen at all.
std::optional<std::vector<pid_t>> PosixScripts::members(const std::string& mark, bool ours) {
  std::vector<pid_t> pids;
  bool seen = true;
  try {
    pids = containment_.members(mark, ours);
  } catch (const std::exception&) {
    seen = false;
  }
  try { // a search through all orphans only where there is nothing better
    const auto marked = session_.members(mark, ours && (!seen || in_session_));
    pids.insert(pids.end(), marked.begin(), marked.end());
  } catch (const std::exception&) {
    return seen || !pids.empty() ? std::optional(pids) : std::nullopt;
  }
  // Found both ways, one would get its TERM twice, which to some programs is more than once.
  std::sort(pids.begin(), pids.end());
  pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
  return pids;
}

ScriptResult PosixScripts::await(pid_t pid, const ScriptCall& call, const std::string& mark,
                                 ScriptOutputFile& output) {
  const CutAround cut(Deed::await_script);
  const auto begin = BootClock::now();
  Pace pace;
  ScriptResult result;
  for (;;) {
    if (const auto status = reap(pid)) {
      result = result_of(*status);
      break;
    }
    if (BootClock::now() - begin >= call.limit) {
      result.end = ScriptResult::End::timed_out;
      result.emptied = stop(mark, true);
      break;
    }
    output.keep_small();
    if (options_.on_tick) {
      options_.on_tick();
    }
    pace.wait();
  }
  output.keep_small();
  result.tail = output.tail(tail_size);
  return result;
}

/// While something is being stopped nothing else may get in the way.
void PosixScripts::tick_safely() {
  try {
    if (options_.on_tick) {
      options_.on_tick();
    }
  } catch (const std::exception&) { // what was asked stays asked
  }
}

/// TERM to everything, time to comply, KILL to everything until nothing is left. The times count
/// from the signals: a look may take seconds, and whoever was sent nothing has refused nothing.
bool PosixScripts::stop(const std::string& mark, bool ours) {
  const auto begin = BootClock::now();
  std::optional<Instant> termed, killed;
  int kills = 0;
  for (;;) {
    reap(-1);
    const auto left = members(mark, ours);
    const auto now = BootClock::now();
    if (left && left->empty()) {
      return true;
    }
    const bool enough = left ? kills >= least_kills && now - *killed >= options_.kill_grace
                             : now - killed.value_or(termed.value_or(begin)) >=
                                   options_.term_grace + options_.kill_grace;
    if (enough) {
      return false;
    }
    if (left && !termed) {
      signal_all(*left, SIGTERM);
      termed = BootClock::now();
    } else if (left && now - *termed >= options_.term_grace) {
      signal_all(*left, SIGKILL);
      killed = killed.value_or(BootClock::now());
      ++kills;
    }
    tick_safely();
    std::this_thread::sleep_for(tick_interval);
  }
}

bool PosixScripts::stop_leftovers(const ScriptCall& call) {
  const CutAround cut(Deed::stop_leftovers);
  const auto file = files_.profile(call.profile) / mark_file(call.kind);
  return !std::filesystem::exists(file) || stop(std::string(trim(read_file(file, 4096))), false);
}

} // namespace belay::agent
