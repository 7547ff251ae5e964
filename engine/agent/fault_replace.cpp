// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/fault_point.h"

#include <array>
#include <csignal>
#include <cstdlib>
#include <string>
#include <unistd.h>
#include <utility>

// Of belay-agent-faults alone: the points within replace_file. engine/base knows nothing of faults,
// so they sit in the system calls that it makes: the linker (--wrap) leads those calls of the whole
// program through here, and of them count the ones on the temporary file that was made while a deed
// is in hand. For a deed D:
//
//   half-D      half of the text is in the temporary file
//   written-D   all of it is; nothing was synced or renamed
//   named-D     it has its name; the folder was not synced (of files that are synced only: of
//               others after-D is the same)

extern "C" {
// NOLINTBEGIN: the linker makes these names
int __real_mkostemp(char* name, int flags);
ssize_t __real_write(int fd, const void* bytes, size_t count);
int __real_fsync(int fd);
int __real_rename(const char* from, const char* to);
int __wrap_mkostemp(char* name, int flags);
ssize_t __wrap_write(int fd, const void* bytes, size_t count);
int __wrap_fsync(int fd);
int __wrap_rename(const char* from, const char* to);
// NOLINTEND
}

namespace belay::agent {

namespace {

struct ReplacedFile {
  Deed deed;
  bool empty = false;
  bool synced = false;
};

constexpr std::array replaced_files = {
    ReplacedFile{.deed = Deed::hold_decision, .empty = true},
    ReplacedFile{.deed = Deed::write_reported, .empty = true},
    ReplacedFile{.deed = Deed::arm_boot_unit, .synced = true},
    ReplacedFile{.deed = Deed::write_record, .synced = true},
    ReplacedFile{.deed = Deed::write_seen},
    ReplacedFile{.deed = Deed::write_mark},
    ReplacedFile{.deed = Deed::drop_request},
    ReplacedFile{.deed = Deed::show_canary, .synced = true},
    ReplacedFile{.deed = Deed::keep_log},
};

/// The temporary file that this thread is at.
struct Temporary {
  std::string deed; ///< empty: none
  std::string path;
  int fd = -1;
  bool half = false, written = false, synced = false; ///< was there
};

thread_local Temporary temporary; // NOLINT: the calls have no other way to know of each other

} // namespace

std::vector<std::string> replace_fault_points() {
  std::vector<std::string> points;
  for (const auto& file : replaced_files) {
    const std::string name(name_of(file.deed));
    if (!file.empty) {
      points.push_back("half-" + name);
    }
    points.push_back("written-" + name);
    if (file.synced) {
      points.push_back("named-" + name);
    }
  }
  return points;
}

namespace {

void begin_replacing(const char* path, int fd) {
  temporary = deed_in_hand().empty() ? Temporary{}
                                     : Temporary{.deed = deed_in_hand(), .path = path, .fd = fd};
}

void cut_in_half(int fd, const void* bytes, std::size_t count) {
  if (temporary.deed.empty() || fd != temporary.fd || std::exchange(temporary.half, true)) {
    return;
  }
  if (const int number = signal_at_fault_point("half-" + temporary.deed); number != 0) {
    [[maybe_unused]] const auto ignored = __real_write(fd, bytes, count / 2);
    kill(getpid(), number);
  }
}

void pass_written() {
  temporary.half = true; // where it is empty, and its descriptor's number is somebody else's by now
  if (!std::exchange(temporary.written, true)) {
    pass_fault_point("written-" + temporary.deed);
  }
}

} // namespace

} // namespace belay::agent

// NOLINTBEGIN
int __wrap_mkostemp(char* name, int flags) {
  const int fd = __real_mkostemp(name, flags);
  belay::agent::begin_replacing(name, fd);
  return fd;
}

ssize_t __wrap_write(int fd, const void* bytes, size_t count) {
  belay::agent::cut_in_half(fd, bytes, count);
  return __real_write(fd, bytes, count);
}

int __wrap_fsync(int fd) {
  using belay::agent::temporary;
  if (!temporary.deed.empty() && fd == temporary.fd) {
    belay::agent::pass_written();
    temporary.synced = true;
  }
  return __real_fsync(fd);
}

int __wrap_rename(const char* from, const char* to) {
  using belay::agent::temporary;
  const bool ours = !temporary.deed.empty() && temporary.path == from;
  if (ours) {
    belay::agent::pass_written();
  }
  const int result = __real_rename(from, to);
  if (ours && temporary.synced) {
    belay::agent::pass_fault_point("named-" + temporary.deed);
  }
  if (ours) {
    temporary = {};
  }
  return result;
}
// NOLINTEND
