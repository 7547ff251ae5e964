// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/text.h"
#include "tests/catch.h"
#include "tests/unit/agent/agent_process.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <sys/types.h>
#include <vector>

// deploy-rs's conversation with a closure's activate-rs, by the real program and a real Nix:
// `activate` in one login, `wait` in a second one, `rm` of the canary in a third.

namespace belay::agent::test {

/// deploy-rs on a world of its own.
class DeployRs {
public:
  DeployRs() {
    std::filesystem::create_symlink(agent_program(), world.path("activate-rs"));
    std::filesystem::create_directory(temp());
  }

  std::filesystem::path temp() const { return world.path("tmp"); }
  std::filesystem::path canary(const std::string& closure) const {
    return temp() /
           ("deploy-rs-canary-" + std::filesystem::path(closure).filename().string().substr(0, 32));
  }
  std::string generation(const std::string& name, const std::string& script = "") const {
    return world.generation(name, "echo " + name + ":$DRY_ACTIVATE:$BOOT >>" + log().string() +
                                      "\n" + script);
  }
  std::string ran() const {
    std::ifstream file(log());
    std::string all, line;
    while (std::getline(file, line)) {
      all += (all.empty() ? "" : " ") + line;
    }
    return all;
  }

  ProcessResult call(const std::string& arguments) const {
    std::vector<std::string> argv = {world.path("activate-rs").string()};
    const auto words = split_white_space(arguments);
    argv.insert(argv.end(), words.begin(), words.end());
    return world.run(argv);
  }
  std::future<ProcessResult> activate(const std::string& closure, const std::string& more = "",
                                      int confirm_timeout = 20) const {
    return std::async(std::launch::async, [=, this] {
      return call("--debug-logs --log-dir /var/log activate " + closure + " " + profile +
                  " --temp-path " + temp().string() + " --confirm-timeout " +
                  std::to_string(confirm_timeout) + " --auto-rollback " + more);
    });
  }
  ProcessResult wait(const std::string& closure, int limit = 20) const {
    return call("wait " + closure + " --temp-path " + temp().string() + " --activation-timeout " +
                std::to_string(limit));
  }
  /// The processes that watch a canary for deploy-rs.
  std::vector<pid_t> activating() const {
    std::vector<pid_t> found;
    for (const auto pid : world.processes()) {
      std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline");
      std::string program, flag;
      std::getline(file, program, '\0');
      std::getline(file, flag, '\0');
      if (program == world.path("activate-rs") && flag == "--debug-logs") {
        found.push_back(pid);
      }
    }
    return found;
  }
  /// Until what awaited its confirmation has come to its end.
  void until_over() const {
    const auto limit = Wait::at_most(std::chrono::seconds(20));
    for (;;) {
      const auto said = world.run({agent_program(), "status", "--json"}).out;
      if (said.find("awaiting-confirm") == std::string::npos &&
          said.find("rolling-back") == std::string::npos) {
        return;
      }
      REQUIRE_FALSE(limit.expired());
    }
  }
  ProcessResult revoke() const { return call("revoke " + profile); }

  /// The whole of it, confirmed.
  void deploy(const std::string& closure) const {
    auto activating = activate(closure, "--magic-rollback");
    REQUIRE(wait(closure).succeeded());
    REQUIRE(std::filesystem::remove(canary(closure)));
    const auto result = activating.get();
    INFO(result.err);
    REQUIRE(result.succeeded());
    REQUIRE(world.system() == closure);
  }

  NixWorld world;
  std::string profile = "--profile-user root --profile-name system";

private:
  std::filesystem::path log() const { return world.path("ran"); }
};

/// Of a program that must have exited by itself.
inline int exit_status(const ProcessResult& result) {
  INFO(result.out << result.err);
  REQUIRE(result.end == ProcessResult::End::exited);
  return result.status;
}

} // namespace belay::agent::test
