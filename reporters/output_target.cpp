// SPDX-License-Identifier: Apache-2.0
#include "reporters/output_target.h"

#include "engine/base/clock.h"
#include "engine/base/error.h"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace belay::reporters {

namespace {

[[noreturn]] void refuse(const std::string& target, const std::string& why) {
  throw Error(ErrorKind::usage, "cannot write events to " + target + ": " + why);
}

[[noreturn]] void refuse_errno(const std::string& target) {
  refuse(target, std::generic_category().message(errno));
}

std::optional<int> descriptor_of(const std::string& target) {
  if (target == "-")
    return STDOUT_FILENO;
  if (!target.starts_with("fd:"))
    return std::nullopt;
  int number = -1;
  const char* const end = target.data() + target.size();
  const auto parsed = std::from_chars(target.data() + 3, end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end || number < 0)
    refuse(target, "fd: takes a number");
  return number;
}

/// A pipe or terminal once more with a mode of its own: the descriptor that we were given may be
/// shared with others, who want it to block. Empty where the system refuses.
UniqueFd reopen_nonblocking(int number) {
  struct stat status {};
  if (::fstat(number, &status) != 0 || !(S_ISFIFO(status.st_mode) || ::isatty(number) == 1))
    return {};
  const std::string path = "/proc/self/fd/" + std::to_string(number);
  return UniqueFd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

UniqueFd take_descriptor(const std::string& target, int number) {
  const int access = ::fcntl(number, F_GETFL);
  if (access < 0)
    refuse_errno(target);
  if ((access & O_ACCMODE) == O_RDONLY)
    refuse(target, "it is open for reading only");
  if (number > STDERR_FILENO) // the programs that we start must not keep it open
    ::fcntl(number, F_SETFD, FD_CLOEXEC);
  if (UniqueFd own = reopen_nonblocking(number); own && own.get() > STDERR_FILENO)
    return own;
  UniqueFd copy(::fcntl(number, F_DUPFD_CLOEXEC, 3));
  if (!copy)
    refuse_errno(target);
  return copy;
}

/// O_NONBLOCK lets the open of a FIFO without a reader fail instead of waiting for ever.
UniqueFd open_path(const std::string& target) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::path(target).parent_path();
  if (!folder.empty() && !std::filesystem::create_directories(folder, error) && error)
    refuse(target, error.message());
  const Instant deadline = BootClock::now() + std::chrono::seconds(5);
  for (;;) {
    constexpr int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK;
    UniqueFd fd(::open(target.c_str(), flags, 0644));
    if (fd)
      return fd;
    if (errno != ENXIO || BootClock::now() > deadline)
      refuse_errno(target);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

} // namespace

OutputTarget open_output(const std::string& target) {
  const auto number = descriptor_of(target);
  OutputTarget output{number ? take_descriptor(target, *number) : open_path(target), false};
  struct stat status {};
  output.is_file = ::fstat(output.fd.get(), &status) == 0 && S_ISREG(status.st_mode);
  return output;
}

} // namespace belay::reporters
