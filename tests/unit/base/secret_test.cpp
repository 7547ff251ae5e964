// SPDX-License-Identifier: Apache-2.0
#include "engine/base/secret.h"

#include "engine/base/file.h"
#include "engine/base/process.h"
#include "tests/catch.h"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

using namespace belay;

TEST_CASE("a variable that was taken is gone, also for children") {
  setenv("BELAY_TEST_SECRET", "hunter2", 1);
  CHECK(take_variable("BELAY_TEST_SECRET") == "hunter2");
  CHECK(take_variable("BELAY_TEST_SECRET") == std::nullopt);
  ProcessSpec spec;
  spec.argv = {"env"};
  PosixProcessRunner processes;
  const auto child = processes.run(spec, Wait::at_most(std::chrono::seconds(10)));
  CHECK(child.succeeded());
  CHECK(child.out.find("BELAY_TEST_SECRET") == std::string::npos);
}

TEST_CASE("a text that was wiped is empty") {
  std::string text = "a text that is too long to live within the object itself";
  wipe(text);
  CHECK(text.empty());
}

#ifdef __linux__

namespace {

constexpr uid_t nobody = 65534;

/// How a process of an ordinary user ends that does this. It is one of its own, since privacy
/// cannot be taken back.
int status_of(const std::function<bool()>& holds) {
  const pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 &&
        (setgroups(0, nullptr) != 0 || setgid(nobody) != 0 || setuid(nobody) != 0)) {
      _exit(99);
    }
    prctl(PR_SET_DUMPABLE, 1); // a change of user took it
    _exit(holds() ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

/// Whether another process of the same user may open this file of ours in /proc.
bool open_to_others(const std::string& name) {
  const auto path = "/proc/" + std::to_string(getpid()) + "/" + name;
  const pid_t other = fork();
  if (other == 0) {
    prctl(PR_SET_DUMPABLE, 1);
    _exit(open(path.c_str(), O_RDONLY | O_CLOEXEC) >= 0 ? 0 : 1);
  }
  int status = -1;
  waitpid(other, &status, 0);
  return status == 0;
}

/// As a program sees itself that is started from here: whose its files in /proc are, and what its
/// cores may be.
std::string seen_by_a_child() {
  ProcessSpec spec;
  spec.argv = {"sh", "-c", "stat -L -c %u /proc/self/environ; ulimit -c"};
  PosixProcessRunner processes;
  return processes.run(spec, Wait::at_most(std::chrono::seconds(10))).out;
}

bool aborts_with_a_core(bool kept_private) {
  const TemporaryDirectory folder("/tmp/belay-test-core-");
  if (chmod(folder.path().c_str(), 0777) != 0) {
    return false;
  }
  const int status = status_of([&] {
    const rlimit all{RLIM_INFINITY, RLIM_INFINITY};
    if (chdir(folder.path().c_str()) != 0 || setrlimit(RLIMIT_CORE, &all) != 0) {
      return false;
    }
    if (kept_private) {
      keep_memory_private();
    }
    std::signal(SIGABRT, SIG_DFL); // Catch's own would tell of it
    std::abort();
  });
  CHECK(WIFSIGNALED(status));
  return WCOREDUMP(status);
}

} // namespace

TEST_CASE("private memory: nobody else reads it, and the process itself is as it was") {
  CHECK(status_of([] { return open_to_others("environ") && open_to_others("mem"); }) == 0);
  CHECK(status_of([] {
          keep_memory_private();
          return !open_to_others("environ") && !open_to_others("mem");
        }) == 0);
  CHECK(status_of([] {
          keep_memory_private();
          std::error_code problem;
          const auto program = std::filesystem::read_symlink("/proc/self/exe", problem);
          return !problem && program.filename() == "unit_base";
        }) == 0);
}

TEST_CASE("private memory: programs that are started are as they would have been") {
  CHECK(status_of([] {
          const auto before = seen_by_a_child();
          keep_memory_private();
          return before.starts_with(std::to_string(geteuid()) + "\n") &&
                 seen_by_a_child() == before;
        }) == 0);
}

TEST_CASE("private memory: no core, whatever the limits") {
  if (rlimit most{}; getrlimit(RLIMIT_CORE, &most) != 0 || !aborts_with_a_core(false)) {
    WARN("no process here leaves a core: left out");
    return;
  }
  CHECK_FALSE(aborts_with_a_core(true));
}

#endif
