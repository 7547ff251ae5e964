// SPDX-License-Identifier: Apache-2.0
#include "engine/base/cancel.h"
#include "engine/base/file.h"
#include "tests/catch.h"

#ifdef __linux__

#include <csignal>
#include <fcntl.h>
#include <grp.h>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

// The program itself, seen from outside before it has read anything: whose its memory is.

using namespace belay;

namespace {

constexpr uid_t nobody = 65534;

/// A program of an ordinary user's that is held up where it opens a file to read it.
class HeldUp {
public:
  HeldUp(const std::string& program, std::vector<std::string> words) {
    const auto fifo = (folder_.path() / "fifo").string();
    REQUIRE(chmod(folder_.path().c_str(), 0755) == 0);
    REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
    REQUIRE(chmod(fifo.c_str(), 0644) == 0);
    words.push_back(fifo);
    // By its descriptor: the way to it may be closed to that user.
    const UniqueFd file(open(program.c_str(), O_RDONLY | O_CLOEXEC));
    pid_ = fork();
    if (pid_ == 0) {
      start(file.get(), words);
    }
    const auto wait = Wait::at_most(std::chrono::seconds(60));
    while (!end_ && !wait.expired() && waitpid(pid_, nullptr, WNOHANG) == 0) {
      end_ = UniqueFd(open(fifo.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)); // once it is read
      std::this_thread::yield();
    }
    REQUIRE(end_);
  }
  ~HeldUp() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  HeldUp(const HeldUp&) = delete;
  HeldUp& operator=(const HeldUp&) = delete;

  /// Who may read its environment, and its memory.
  uid_t owner() const {
    struct stat facts {};
    REQUIRE(stat(("/proc/" + std::to_string(pid_) + "/environ").c_str(), &facts) == 0);
    return facts.st_uid;
  }

private:
  [[noreturn]] static void start(int file, std::vector<std::string>& words) {
    if (geteuid() == 0 &&
        (setgroups(0, nullptr) != 0 || setgid(nobody) != 0 || setuid(nobody) != 0)) {
      _exit(99);
    }
    std::vector<char*> argv;
    for (auto& word : words) {
      argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    fexecve(file, argv.data(), environ);
    _exit(98);
  }

  TemporaryDirectory folder_{"/tmp/belay-test-memory-"};
  UniqueFd end_;
  pid_t pid_ = -1;
};

} // namespace

TEST_CASE("belay's memory and environment are nobody else's from the first moment on") {
  const uid_t user = geteuid() == 0 ? nobody : geteuid();
  CHECK(HeldUp("/bin/cat", {"cat"}).owner() == user); // or the look would say nothing
  CHECK(HeldUp(BELAY_BINARY_DIR "/bin/belay", {"belay", "report", "--from"}).owner() == 0);
}

#endif
