// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/posix_scripts.h"
#include "engine/agent/process_tree.h"
#include "engine/base/file.h"
#include "tests/catch.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <sys/stat.h>
#include <sys/types.h>
#include <thread>

// What the tests of PosixScripts begin with: real scripts, run as a keeper runs them.

namespace belay::agent::test {

/// A generation with a script, and a transaction's folder to run it in.
struct ScriptCase {
  TemporaryDirectory folder{"/tmp/belay-scripts-"};
  TransactionFiles files{folder.path(), "0123456789abcdef"};
  std::filesystem::path generation = folder.path() / "generation";
  SessionContainment containment;
  PosixScripts::Options options{.term_grace = std::chrono::milliseconds(300)};
  std::map<std::string, std::string> environment = {{"PATH", "/usr/bin:/bin"}, {"HOME", "/tmp"}};

  ScriptCase() {
    std::filesystem::create_directories(files.profile(0));
    std::filesystem::create_directories(generation / "bin");
  }
  void script(const std::string& text, const std::string& name = "deploy-rs-activate") {
    std::ofstream(generation / name) << "#!/bin/sh\n" << text << "\n";
    chmod((generation / name).c_str(), 0755);
  }
  ScriptCall call(Duration limit = std::chrono::seconds(20),
                  ScriptCall::Kind kind = ScriptCall::Kind::activation) const {
    return {.kind = kind,
            .profile = 0,
            .generation = generation.string(),
            .profile_path = generation.string(),
            .limit = limit};
  }
  ScriptResult run(const ScriptCall& what) {
    PosixScripts scripts(files, environment, containment, options);
    return scripts.run(what);
  }
  std::string output() const { return read_file(files.output(0), 1 << 26); }
};

/// Whether it runs: who is dead and not yet buried does not.
inline bool alive(pid_t pid) {
  for (const auto& process : list_processes()) {
    if (process.pid == pid) {
      return !process.dead;
    }
  }
  return false;
}

/// The pid that a script writes there, awaited.
inline pid_t pid_in(const std::filesystem::path& file) {
  const auto wait = Wait::at_most(std::chrono::seconds(10));
  while (!wait.expired()) {
    if (std::filesystem::exists(file)) {
      const auto text = read_file(file, 100);
      if (text.ends_with('\n')) {
        return std::stoi(text);
      }
    }
    std::this_thread::yield();
  }
  FAIL("no pid in " << file);
  return 0;
}

} // namespace belay::agent::test
