// SPDX-License-Identifier: Apache-2.0
#include "engine/base/child_process.h"

#include "engine/base/error.h"

#include <fcntl.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

extern char** environ; // NOLINT: POSIX declares it nowhere

namespace belay {

namespace {

/// The environment of a child as execve wants it; owns the strings.
class EnvironmentBlock {
public:
  explicit EnvironmentBlock(const std::map<std::string, std::optional<std::string>>& changes) {
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string_view text(*entry);
      if (!changes.contains(std::string(text.substr(0, text.find('='))))) {
        strings_.emplace_back(text);
      }
    }
    for (const auto& [name, value] : changes) {
      if (value) {
        strings_.push_back(name + "=" + *value);
      }
    }
    for (auto& text : strings_) {
      pointers_.push_back(text.data());
    }
    pointers_.push_back(nullptr);
  }
  char** data() { return pointers_.data(); }

private:
  std::vector<std::string> strings_;
  std::vector<char*> pointers_;
};

struct ChildEnds {
  int in, out, err, problem;
  pid_t parent; ///< 0 = need not be there
};

/// Async-signal-safe, as become() is.
void die_with(pid_t parent) {
#ifdef __linux__
  if (parent != 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)) {
    _exit(127); // it died before it could be asked for
  }
#else
  (void)parent;
#endif
}

/// What stands in the child between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(char* const* argv, char* const* environment, const char* directory,
                         const ChildEnds& ends) {
  setpgid(0, 0);
  die_with(ends.parent);
  struct sigaction normal {};
  normal.sa_handler = SIG_DFL;
  for (const int number : {SIGINT, SIGTERM, SIGPIPE, SIGHUP, SIGQUIT, SIGCHLD}) {
    sigaction(number, &normal, nullptr);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (dup2(ends.in, STDIN_FILENO) >= 0 && dup2(ends.out, STDOUT_FILENO) >= 0 &&
      dup2(ends.err, STDERR_FILENO) >= 0 && (*directory == '\0' || chdir(directory) == 0)) {
    environ = const_cast<char**>(environment); // execvp looks PATH up here
    execvp(argv[0], argv);
  }
  const int problem = errno;
  [[maybe_unused]] const auto ignored = write(ends.problem, &problem, sizeof problem);
  _exit(127);
}

/// Where SIGCHLD is ignored, as some parents leave it, the kernel throws exit statuses away.
void keep_exit_statuses() {
  struct sigaction now {};
  if (sigaction(SIGCHLD, nullptr, &now) == 0 && now.sa_handler == SIG_IGN) {
    now.sa_handler = SIG_DFL;
    sigaction(SIGCHLD, &now, nullptr);
  }
}

} // namespace

Child::Child(const ProcessSpec& spec) {
  keep_exit_statuses();
  auto [in_read, in_write] = make_pipe();
  auto [out_read, out_write] = make_pipe();
  auto [err_read, err_write] = make_pipe();
  auto [problem_read, problem_write] = make_pipe();
  std::vector<char*> argv;
  for (const auto& word : spec.argv) {
    argv.push_back(const_cast<char*>(word.c_str()));
  }
  argv.push_back(nullptr);
  EnvironmentBlock environment(spec.environment);
  const std::string directory = spec.directory.string();
  const ChildEnds ends{in_read.get(), out_write.get(), err_write.get(), problem_write.get(),
                       spec.dies_with_parent ? getpid() : 0};

  pid_ = fork();
  if (pid_ < 0) {
    throw Error::from_errno("cannot start " + spec.argv.front(), errno);
  }
  if (pid_ == 0) {
    become(argv.data(), environment.data(), directory.c_str(), ends);
  }
  setpgid(pid_, pid_); // both sides do it: whoever comes first
  problem_write.reset();
  int problem = 0;
  ssize_t got = -1;
  do {
    got = read(problem_read.get(), &problem, sizeof problem);
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof problem)) {
    reap(0);
    throw Error::from_errno("cannot start " + spec.argv.front(), problem);
  }
  in = std::move(in_write);
  out = std::move(out_read);
  err = std::move(err_read);
}

} // namespace belay
