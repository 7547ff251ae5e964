// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/activate_rs.h"

#include "engine/agent/ask.h"
#include "engine/agent/canary.h"
#include "engine/agent/earlier.h"
#include "engine/agent/follower.h"
#include "engine/agent/opening.h"
#include "engine/agent/posix_scripts.h"
#include "engine/agent/prepare.h"
#include "engine/agent/reopen.h"
#include "engine/agent/requests.h"
#include "engine/agent/scripts.h"
#include "engine/agent/status.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

#include <cstdio>
#include <thread>

namespace belay::agent {

namespace {

// deploy-rs sets no limit to a script. One that hangs must not hold the host for ever.
constexpr std::chrono::hours script_limit{6};
constexpr std::chrono::milliseconds look_interval{20};

void say(const std::string& text) {
  std::fprintf(stderr, "activate-rs: %s\n", text.c_str());
}

[[noreturn]] void refused(const Refusal& refusal) {
  throw Error(ErrorKind::system, refusal.message);
}

void require_accepted(const ReplyBody& reply) {
  if (const auto* refusal = std::get_if<Refusal>(&reply)) {
    refused(*refusal);
  }
}

/// deploy-rs's rule, for the user that was named: it may be another one than we are.
std::string path_of(const ActivateRsProfile& profile, const Host& host) {
  return profile.path ? *profile.path
                      : profile_path_for({.name = profile.name}, profile.user,
                                         host.surroundings.environment);
}

bool is_confirmed_by_canary(const ActivateRsActivate& options) {
  return options.magic_rollback && !options.boot;
}

PrepareRequest request_for(const ActivateRsActivate& options, const Host& host) {
  const auto path = path_of(options.profile, host);
  return {.run = deploy_rs_run,
          .holder_url = "",
          .agent = "", // the closure refers to it, and is rooted
          .profiles = {{.name = std::filesystem::path(path).filename().string(),
                        .profile_path = path,
                        .closure = options.closure.string(),
                        .auto_rollback = options.auto_rollback,
                        .magic_rollback = options.magic_rollback,
                        .confirm_timeout = options.confirm_timeout,
                        .activation_timeout = script_limit,
                        .mode = options.boot ? Mode::boot : Mode::activate,
                        .canary_folder = is_confirmed_by_canary(options)
                                             ? std::optional(options.temp_path.string())
                                             : std::nullopt}}};
}

/// One transaction of one profile, watched to its end.
class Watch {
public:
  Watch(TransactionFiles files, const Host& host)
      : files_(std::move(files)), host_(host), follower_(files_, host.clock, {}) {}

  const TransactionFiles& files() const { return files_; }

  /// Prints what is new; the profile as it stands now.
  ProfileStatus look() {
    for (const auto& message : follower_.poll()) {
      if (const auto* output = std::get_if<ScriptOutput>(&message)) {
        std::printf("%s\n", output->text.c_str());
        std::fflush(stdout);
      }
    }
    if (host_.clock.now() >= next_check_) {
      ensure_keeper(files_, host_);
      look_after();
      next_check_ = host_.clock.now() + keeper_check;
    }
    const auto snapshot = take_snapshot(files_, host_.clock);
    if (!snapshot) {
      throw Error(ErrorKind::system, "transaction " + files_.id() + " has gone");
    }
    return snapshot->profiles.at(0);
  }

  /// Gives the target free. The record stays for a revoke.
  void finish() { ask_keeper(files_, host_, FinishRequest{files_.id()}); }

private:
  /// Who meets it is told that somebody waits for it, as is said of a runner that asks.
  void look_after() {
    try {
      RequestQueue(files_).touch(host_.clock.now(), boot_id());
    } catch (const Error&) { // a full disk: no reason to stop watching
    }
  }

  TransactionFiles files_;
  const Host& host_;
  Follower follower_;
  Instant next_check_{};
};

int conclude(Watch& watch, const ProfileStatus& status) {
  watch.finish();
  if (status.state == State::confirmed) {
    say(status.profile_path + " is confirmed");
    return 0;
  }
  say(std::string(name_of(status.state)) + ": " + status.message);
  return 1;
}

/// Activation from its beginning to its end. It only watches: what the canary's removal decides,
/// the keeper sees to, whether we live or not.
class Activation {
public:
  Activation(const ActivateRsActivate& options, const Host& host)
      : options_(options), host_(host), canary_(options.temp_path, options.closure) {}

  int run() {
    const auto prepared = prepare(request_for(options_, host_), host_);
    if (const auto* refusal = std::get_if<Refusal>(&prepared)) {
      refused(*refusal);
    }
    const auto& opened = std::get<TransactionStatus>(prepared);
    Watch watch({host_.state_directory, opened.transaction}, host_);
    tell_earlier(opened);
    if (const auto snapshot = take_snapshot(watch.files(), host_.clock)) {
      note_told(snapshot->view, host_);
    }
    begin(watch);
    for (;;) {
      const auto status = watch.look();
      if (is_final(status.state)) {
        return conclude(watch, status);
      }
      if (status.state == State::awaiting_confirm && !told_) {
        told_ = true;
        say("activated; removing " + canary_.path().string() + " confirms it");
      }
      std::this_thread::sleep_for(look_interval);
    }
  }

private:
  static void tell_earlier(const TransactionStatus& opened) {
    for (const auto& earlier : opened.earlier) {
      for (const auto& profile : earlier.profiles) {
        say("before this, " + profile.profile_path + ": " + std::string(name_of(profile.state)) +
            ", run " + one_line(earlier.run) +
            (profile.message.empty() ? "" : "; " + profile.message));
      }
    }
  }

  void begin(Watch& watch) {
    try {
      if (is_confirmed_by_canary(options_)) {
        canary_.clear();
      }
    } catch (const Error&) {
      watch.finish();
      throw;
    }
    require_accepted(ask_keeper(watch.files(), host_, ActivateRequest{watch.files().id(), name()}));
  }

  std::string name() const { return request_for(options_, host_).profiles.front().name; }

  const ActivateRsActivate& options_;
  const Host& host_;
  Canary canary_;
  bool told_ = false;
};

/// Its script tells what it would do. There is no transaction: nothing is changed, so nothing has
/// to be kept, and nothing is ever rolled back.
int dry_run(const ActivateRsActivate& options, const Host& host) {
  const auto& closure = options.closure.string();
  const auto print = [](std::string_view line) {
    std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
    std::fflush(stdout);
  };
  const auto script = find_script(closure, ScriptCall::Kind::dry);
  if (!script) {
    throw Error(ErrorKind::no_activation,
                "nothing in " + closure + " says what it would do without doing it");
  }
  ProcessSpec spec{.argv = {script->program},
                   .directory = closure,
                   .on_stdout_line = print,
                   .on_stderr_line = print};
  for (const auto& [name, value] : script_environment(host.surroundings.environment, host.user)) {
    spec.environment[name] = value;
  }
  if (!script->argument.empty()) {
    spec.argv.push_back(script->argument);
  }
  spec.environment["PROFILE"] = closure;
  spec.environment["DRY_ACTIVATE"] = "1";
  spec.environment["BOOT"] = "0";
  const auto result = host.processes.run(spec, Wait::at_most(script_limit));
  say("dry run: the script " + result.describe());
  return result.succeeded() ? 0 : 1;
}

/// Whether the transaction that a canary names waits for it.
bool is_awaited(const Canary& canary, const Host& host) {
  const auto transaction = canary.read();
  if (!transaction || !is_transaction_id(*transaction)) {
    return false;
  }
  const auto snapshot = take_snapshot({host.state_directory, *transaction}, host.clock);
  return snapshot && snapshot->profiles.at(0).state == State::awaiting_confirm;
}

int wait(const ActivateRsWait& options, const Host& host) {
  const Canary canary(options.temp_path, options.closure);
  const auto limit = Wait::at_most(options.activation_timeout);
  while (!is_awaited(canary, host)) {
    if (limit.expired()) {
      say("not activated within " + format_duration(options.activation_timeout));
      return 1;
    }
    std::this_thread::sleep_for(look_interval);
  }
  return 0;
}

int revoke(const ActivateRsRevoke& options, const Host& host) {
  const auto path = path_of(options.profile, host);
  const auto reopened = reopen_last(path, host);
  if (const auto* refusal = std::get_if<Refusal>(&reopened)) {
    refused(*refusal);
  }
  Watch watch(std::get<TransactionFiles>(reopened), host);
  const auto name = watch.look().name;
  require_accepted(ask_keeper(watch.files(), host, RevokeRequest{watch.files().id(), name}));
  for (;;) {
    const auto status = watch.look();
    const bool taken_back =
        is_final(status.state) && status.state != State::confirmed && status.state != State::failed;
    if (taken_back) {
      watch.finish();
      say(std::string(name_of(status.state)) + ": " + status.message);
      return status.state == State::rolled_back ? 0 : 1;
    }
    std::this_thread::sleep_for(look_interval);
  }
}

} // namespace

int activate_rs(const ActivateRsCommand& command, const Host& host) {
  if (const auto* options = std::get_if<ActivateRsActivate>(&command)) {
    return options->dry_activate ? dry_run(*options, host) : Activation(*options, host).run();
  }
  if (const auto* options = std::get_if<ActivateRsWait>(&command)) {
    return wait(*options, host);
  }
  return revoke(std::get<ActivateRsRevoke>(command), host);
}

} // namespace belay::agent
