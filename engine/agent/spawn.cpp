// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/spawn.h"

#include "engine/base/error.h"
#include "engine/base/file.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ; // NOLINT: POSIX declares it nowhere

namespace belay::agent {

namespace {

/// argv or environment as execve wants it. Keeps the strings.
class CStrings {
public:
  explicit CStrings(std::vector<std::string> strings) : strings_(std::move(strings)) {
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

std::vector<std::string> assignments(const std::map<std::string, std::string>& environment) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : environment) {
    lines.push_back(name + "=" + value);
  }
  return lines;
}

struct Start {
  char** argv;
  char** environment;
  const char* directory;
  int in, out, problem;
  bool orphan;
};

// Between fork and exec only async-signal-safe calls: other threads may have held any lock.

[[noreturn]] void give_up(const Start& start) {
  const int problem = errno;
  [[maybe_unused]] const auto ignored = write(start.problem, &problem, sizeof problem);
  _exit(127);
}

void reset_signals() {
  struct sigaction normal {};
  normal.sa_handler = SIG_DFL;
  for (int number = 1; number < 32; ++number) {
    sigaction(number, &normal, nullptr);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

void close_all_but(int keep) {
  const long limit = sysconf(_SC_OPEN_MAX);
  const int end = limit > 0 && limit < 4096 ? static_cast<int>(limit) : 4096;
  for (int fd = STDERR_FILENO + 1; fd < end; ++fd) {
    if (fd != keep) {
      close(fd);
    }
  }
}

[[noreturn]] void become(const Start& start) {
  setsid();
  if (start.orphan) {
    if (const pid_t second = fork(); second != 0) {
      if (second < 0) {
        give_up(start);
      }
      _exit(0);
    }
  }
  reset_signals();
  if (dup2(start.in, STDIN_FILENO) < 0 || dup2(start.out, STDOUT_FILENO) < 0 ||
      dup2(start.out, STDERR_FILENO) < 0) {
    give_up(start);
  }
  close_all_but(start.problem);
  if (*start.directory != '\0' && chdir(start.directory) != 0) {
    give_up(start);
  }
  environ = start.environment; // execvp looks PATH up here
  execvp(start.argv[0], start.argv);
  give_up(start);
}

/// What stopped the child from becoming the program; 0 once it is.
int read_problem(int fd) {
  int problem = 0;
  ssize_t got = -1;
  do {
    got = read(fd, &problem, sizeof problem);
  } while (got < 0 && errno == EINTR);
  return got == static_cast<ssize_t>(sizeof problem) ? problem : 0;
}

void await(pid_t pid) {
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

UniqueFd open_or_throw(const std::filesystem::path& path, int flags) {
  UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC, 0600));
  if (!fd) {
    throw Error::from_errno("cannot open " + path.string(), errno);
  }
  return fd;
}

} // namespace

pid_t spawn(const SpawnSpec& spec) {
  CStrings argv(spec.argv);
  CStrings environment(assignments(spec.environment));
  const auto directory = spec.directory.string();
  const auto in = open_or_throw("/dev/null", O_RDONLY);
  const auto out = open_or_throw(spec.output, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW);
  auto [problem_read, problem_write] = make_pipe();
  const Start start{argv.data(), environment.data(),  directory.c_str(), in.get(),
                    out.get(),   problem_write.get(), spec.orphan};
  const pid_t pid = fork();
  if (pid < 0) {
    throw Error::from_errno("cannot start " + spec.argv.front(), errno);
  }
  if (pid == 0) {
    become(start);
  }
  problem_write.reset();
  const int problem = read_problem(problem_read.get());
  if (spec.orphan || problem != 0) {
    await(pid);
  }
  if (problem != 0) {
    throw Error::from_errno("cannot start " + spec.argv.front(), problem);
  }
  return spec.orphan ? 0 : pid;
}

} // namespace belay::agent
