// SPDX-License-Identifier: Apache-2.0
#include "engine/base/process.h"

#include "engine/base/child_process.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace belay {

namespace {

/// One stream of a child: cuts it into lines, keeps its tail.
class OutputStream {
public:
  OutputStream(UniqueFd fd, const std::function<void(std::string_view)>& on_line,
               const ProcessSpec& spec)
      : fd_(std::move(fd)), on_line_(on_line), cap_(spec.output_cap), line_cap_(spec.line_cap) {
    set_nonblocking(fd_.get());
  }

  int fd() const { return fd_.get(); }
  bool open() const { return static_cast<bool>(fd_); }

  /// Takes what is there. Stops at a bound, so that a chatty child cannot keep us from its
  /// deadline.
  void drain() {
    std::array<char, 16384> buffer{};
    for (int rounds = 0; rounds < 16 && fd_; ++rounds) {
      const ssize_t count = read(fd_.get(), buffer.data(), buffer.size());
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
      }
      if (count <= 0) {
        close();
        return;
      }
      take({buffer.data(), static_cast<std::size_t>(count)});
    }
  }

  void close() {
    fd_.reset();
    if (!line_.empty()) {
      say(std::exchange(line_, {}));
    }
  }

  bool truncated() const { return truncated_; }
  std::string tail() {
    trim_to_cap(cap_);
    return std::move(tail_);
  }

private:
  void take(std::string_view text) {
    tail_ += text;
    trim_to_cap(2 * cap_ + 4096); // cut seldom: each cut moves the whole tail
    if (!on_line_) {
      return;
    }
    while (!text.empty()) {
      const auto end = std::min(text.find('\n'), text.size());
      line_ += text.substr(0, end);
      if (end < text.size() || line_.size() >= line_cap_) {
        say(std::exchange(line_, {}));
      }
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  void say(const std::string& line) {
    if (!on_line_) {
      return;
    }
    for (std::string_view rest = line;;) {
      on_line_(rest.substr(0, line_cap_));
      rest.remove_prefix(std::min(rest.size(), line_cap_));
      if (rest.empty()) {
        return;
      }
    }
  }

  void trim_to_cap(std::size_t limit) {
    if (tail_.size() > limit) {
      tail_.erase(0, tail_.size() - cap_);
      truncated_ = true;
    }
  }

  UniqueFd fd_;
  const std::function<void(std::string_view)>& on_line_;
  std::size_t cap_;
  std::size_t line_cap_;
  std::string line_;
  std::string tail_;
  bool truncated_ = false;
};

/// Feeds stdin without ever blocking on a child that does not read it.
class InputStream {
public:
  InputStream(UniqueFd fd, std::string_view text) : fd_(std::move(fd)), rest_(text) {
    set_nonblocking(fd_.get());
    close_if_done();
  }
  int fd() const { return fd_.get(); }
  void feed() {
    const ssize_t count = write(fd_.get(), rest_.data(), rest_.size());
    if (count < 0 && errno != EAGAIN && errno != EINTR) {
      rest_ = {}; // the child closed its stdin: its right
    } else if (count > 0) {
      rest_.remove_prefix(static_cast<std::size_t>(count));
    }
    close_if_done();
  }

private:
  void close_if_done() {
    if (rest_.empty()) {
      fd_.reset();
    }
  }
  UniqueFd fd_;
  std::string_view rest_;
};

/// A write into a pipe that nobody reads must be an error, not our death.
class SigpipeIgnored {
public:
  SigpipeIgnored() {
    sigset_t pipe_set;
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_set, &before_);
  }
  ~SigpipeIgnored() {
#ifdef __linux__
    if (sigismember(&before_, SIGPIPE) == 0) { // take one that we caused before unblocking
      sigset_t pipe_set;
      sigemptyset(&pipe_set);
      sigaddset(&pipe_set, SIGPIPE);
      const timespec now{};
      while (sigtimedwait(&pipe_set, nullptr, &now) >= 0) {
      }
    }
#endif
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SigpipeIgnored(const SigpipeIgnored&) = delete;
  SigpipeIgnored& operator=(const SigpipeIgnored&) = delete;

private:
  sigset_t before_{};
};

ProcessResult make_result(int wait_status) {
  ProcessResult result;
  if (WIFSIGNALED(wait_status)) {
    result.end = ProcessResult::End::signalled;
    result.status = WTERMSIG(wait_status);
  } else {
    result.status = WEXITSTATUS(wait_status);
  }
  return result;
}

/// The life of one child after its start: pump, watch the wait, stop it when told.
class Supervision {
public:
  Supervision(const ProcessSpec& spec, const Wait& wait)
      : spec_(spec), wait_(wait), child_(spec), in_(std::move(child_.in), spec.input),
        out_(std::move(child_.out), spec.on_stdout_line, spec),
        err_(std::move(child_.err), spec.on_stderr_line, spec) {}

  ProcessResult run() {
    while (!child_.exited()) {
      poll_once();
      escalate();
    }
    drain_rest();
    auto result = make_result(child_.wait_status());
    result.end = stopped_.value_or(result.end);
    out_.close();
    err_.close();
    result.out = out_.tail();
    result.err = err_.tail();
    result.truncated = out_.truncated() || err_.truncated();
    return result;
  }

private:
  void poll_once() {
    // The child's end has no descriptor of its own: once its pipes are closed, look often.
    const int look_again = out_.open() || err_.open() ? 20 : 1;
    std::array<pollfd, 4> fds = {{{in_.fd(), POLLOUT, 0},
                                  {out_.fd(), POLLIN, 0},
                                  {err_.fd(), POLLIN, 0},
                                  {stopped_ ? -1 : wait_.cancel.poll_fd(), POLLIN, 0}}};
    const int limit = stopped_ ? look_again : std::min(wait_.poll_milliseconds(), look_again);
    if (poll(fds.data(), fds.size(), limit) <= 0) {
      return;
    }
    if (fds[0].revents != 0) {
      in_.feed();
    }
    if (fds[1].revents != 0) {
      out_.drain();
    }
    if (fds[2].revents != 0) {
      err_.drain();
    }
  }

  void escalate() {
    const auto now = BootClock::now();
    if (!stopped_ && (wait_.cancel.cancelled() || wait_.expired())) {
      stopped_ =
          wait_.cancel.cancelled() ? ProcessResult::End::cancelled : ProcessResult::End::timed_out;
      kill_at_ = now + spec_.term_grace;
      child_.signal_group(SIGTERM);
    } else if (stopped_ && now >= kill_at_) {
      child_.signal_group(SIGKILL);
      kill_at_ = Instant::max();
    }
  }

  /// What the child wrote last is still in the pipes. A grandchild may hold them open for ever, so
  /// take what is there and no more.
  void drain_rest() {
    for (auto* stream : {&out_, &err_}) {
      pollfd fd{stream->fd(), POLLIN, 0};
      for (int rounds = 0; rounds < 64 && stream->open() && poll(&fd, 1, 0) > 0; ++rounds) {
        stream->drain();
      }
    }
  }

  const ProcessSpec& spec_;
  const Wait& wait_;
  SigpipeIgnored sigpipe_;
  Child child_;
  InputStream in_;
  OutputStream out_;
  OutputStream err_;
  std::optional<ProcessResult::End> stopped_;
  Instant kill_at_ = Instant::max();
};

} // namespace

ProcessResult PosixProcessRunner::run(const ProcessSpec& spec, const Wait& wait) {
  if (spec.argv.empty()) {
    throw Error(ErrorKind::internal, "a process needs a name");
  }
  return Supervision(spec, wait).run();
}

std::string output_of(ProcessRunner& processes, std::vector<std::string> argv, const Wait& wait) {
  try {
    ProcessSpec spec;
    spec.argv = std::move(argv);
    const auto result = processes.run(spec, wait);
    return result.succeeded() ? std::string(trim(result.out)) : "";
  } catch (const Error&) {
    return "";
  }
}

std::string signal_name(int signal) {
  constexpr std::array<std::pair<int, const char*>, 14> names = {{{SIGHUP, "SIGHUP"},
                                                                  {SIGINT, "SIGINT"},
                                                                  {SIGQUIT, "SIGQUIT"},
                                                                  {SIGILL, "SIGILL"},
                                                                  {SIGABRT, "SIGABRT"},
                                                                  {SIGBUS, "SIGBUS"},
                                                                  {SIGFPE, "SIGFPE"},
                                                                  {SIGKILL, "SIGKILL"},
                                                                  {SIGSEGV, "SIGSEGV"},
                                                                  {SIGPIPE, "SIGPIPE"},
                                                                  {SIGALRM, "SIGALRM"},
                                                                  {SIGTERM, "SIGTERM"},
                                                                  {SIGXCPU, "SIGXCPU"},
                                                                  {SIGSYS, "SIGSYS"}}};
  for (const auto& [number, name] : names) {
    if (number == signal) {
      return name;
    }
  }
  return "signal " + std::to_string(signal);
}

std::string ProcessResult::describe() const {
  switch (end) {
  case End::exited:
    return "exited with " + std::to_string(status);
  case End::signalled:
    return "was killed by " + signal_name(status);
  case End::timed_out:
    return "was stopped at its deadline";
  case End::cancelled:
    return "was stopped by a cancellation";
  }
  return "ended";
}

} // namespace belay
