// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/detach.h"

#include "engine/agent/spawn.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

#include <filesystem>
#include <unistd.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

namespace belay::agent {

namespace {

constexpr std::chrono::seconds manager_limit{10};

bool systemd_manages() { // sd_booted(3)
  std::error_code problem;
  return std::filesystem::is_directory("/run/systemd/system", problem);
}

std::string answer(ProcessRunner& processes, std::vector<std::string> argv) {
  return output_of(processes, std::move(argv), Wait::at_most(manager_limit));
}

/// A unit's values expand specifiers.
std::string without_specifiers(std::string_view text) {
  std::string quoted;
  for (const char c : text) {
    quoted += c == '%' ? "%%" : std::string(1, c);
  }
  return quoted;
}

} // namespace

std::string_view name_of(Detachment detachment) {
  switch (detachment) {
  case Detachment::systemd:
    return "systemd";
  case Detachment::systemd_user:
    return "systemd-user";
  case Detachment::session:
    return "session";
  }
  return "";
}

Detachment detachment_from(std::string_view name) {
  for (const auto detachment : {Detachment::systemd, Detachment::systemd_user}) {
    if (name_of(detachment) == name) {
      return detachment;
    }
  }
  return Detachment::session;
}

Detachment find_detachment(ProcessRunner& processes) {
  if (!systemd_manages()) {
    return Detachment::session;
  }
  if (geteuid() == 0) {
    return Detachment::systemd;
  }
  const auto linger = answer(processes, {"loginctl", "show-user", std::to_string(geteuid()),
                                         "--property=Linger", "--value"});
  return linger == "yes" ? Detachment::systemd_user : Detachment::session;
}

bool kills_user_processes(ProcessRunner& processes) {
  return systemd_manages() &&
         answer(processes,
                {"busctl", "get-property", "org.freedesktop.login1", "/org/freedesktop/login1",
                 "org.freedesktop.login1.Manager", "KillUserProcesses"}) == "b true";
}

std::vector<std::string> KeeperCommand::argv() const {
  std::vector<std::string> words = {agent, verb == KeeperVerb::keep ? "keep" : "recover"};
  if (restart) {
    words.emplace_back("--restart");
  }
  words.insert(words.end(), {"--state-directory", files.state_directory().string(), files.id()});
  return words;
}

std::string keeper_unit(const TransactionFiles& files) {
  return "belay-" + files.id();
}

std::vector<std::string> systemd_command(const KeeperCommand& command, Detachment detachment,
                                         const std::string& unit) {
  const auto log = without_specifiers(command.files.keeper_log().string());
  std::vector<std::string> words = {"systemd-run"};
  if (detachment == Detachment::systemd_user) {
    words.emplace_back("--user");
  }
  words.insert(words.end(), {"--quiet", "--unit=" + unit, "--service-type=exec", "--collect"});
  for (const auto& property :
       {std::string("Restart=on-failure"),
        // To systemd these are no failure. `systemctl stop` and a shutdown still end it.
        std::string("RestartForceExitStatus=SIGTERM SIGINT"), std::string("RestartSec=1"),
        std::string("StartLimitIntervalSec=0"), std::string("OOMPolicy=continue"),
        std::string("KillMode=control-group"), std::string("StandardInput=null"),
        "StandardOutput=append:" + log, "StandardError=append:" + log}) {
    words.insert(words.end(), {"-p", property});
  }
  words.emplace_back("--");
  const auto argv = command.argv();
  words.insert(words.end(), argv.begin(), argv.end());
  return words;
}

/// Whether systemd took it; nullopt where it cannot be asked or does not answer.
std::optional<bool> RealDetacher::start_unit(const KeeperCommand& command,
                                             const std::string& unit) {
  // A login by sudo has no XDG_RUNTIME_DIR, by which a user's manager is found.
  ProcessSpec spec{.argv = systemd_command(command, wanted_, unit)};
  if (wanted_ == Detachment::systemd_user) {
    spec.environment["XDG_RUNTIME_DIR"] = "/run/user/" + std::to_string(geteuid());
  }
  try {
    const auto result = processes_.run(spec, Wait::at_most(manager_limit));
    const bool answered = result.end == ProcessResult::End::exited;
    return answered ? std::optional(result.succeeded()) : std::nullopt;
  } catch (const Error&) { // there is no systemd-run to be found
    return std::nullopt;
  }
}

Detachment RealDetacher::start(const KeeperCommand& command) {
  if (wanted_ != Detachment::session) {
    // A unit that waits to be started again has the name, and may never be.
    const auto unit = keeper_unit(command.files);
    auto taken = start_unit(command, unit);
    if (taken == false) {
      taken = start_unit(command, unit + "-" + random_hex(2));
    }
    if (taken == true) {
      return wanted_;
    }
  }
  auto restarting = command;
  restarting.restart = true;
  spawn({.argv = restarting.argv(),
         .environment = environment_,
         .directory = "/",
         .output = command.files.keeper_log(),
         .orphan = true});
  return Detachment::session;
}

std::string own_program() {
#ifdef __APPLE__
  char path[4096];
  std::uint32_t size = sizeof path;
  return _NSGetExecutablePath(path, &size) == 0 ? std::filesystem::canonical(path).string() : "";
#else
  return std::filesystem::read_symlink("/proc/self/exe").string();
#endif
}

} // namespace belay::agent
