// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/transaction_files.h"

#include "engine/base/clock.h"
#include "engine/base/error.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace belay::agent {

namespace fs = std::filesystem;

std::optional<FileLock> FileLock::try_acquire(const fs::path& path) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) {
    throw Error::from_errno("cannot open the lock " + path.string(), errno);
  }
  while (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return std::nullopt;
    }
    if (errno != EINTR) {
      throw Error::from_errno("cannot lock " + path.string(), errno);
    }
  }
  return FileLock(std::move(fd));
}

std::optional<FileLock> FileLock::acquire(const fs::path& path, const Wait& wait) {
  for (;;) {
    if (auto lock = try_acquire(path)) {
      return lock;
    }
    if (wait.expired() || wait.cancel.cancelled()) {
      return std::nullopt;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

bool is_locked(const fs::path& path) {
  // Shared: two that look at the same moment must not take each other for a keeper.
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) {
    if (errno == ENOENT) {
      return false;
    }
    throw Error::from_errno("cannot open the lock " + path.string(), errno);
  }
  while (flock(fd.get(), LOCK_SH | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return true;
    }
    if (errno != EINTR) {
      throw Error::from_errno("cannot lock " + path.string(), errno);
    }
  }
  return false;
}

fs::path default_state_directory() {
  const auto from = [](const char* name) -> std::string {
    const char* value = std::getenv(name); // NOLINT: read before any thread starts
    return value == nullptr ? "" : value;
  };
  if (geteuid() == 0) {
    const auto nix = from("NIX_STATE_DIR");
    return fs::path(nix.empty() ? "/nix/var/nix" : nix) / "belay";
  }
  const auto state = from("XDG_STATE_HOME");
  if (state.starts_with('/')) { // the XDG specification: relative ones are to be ignored
    return fs::path(state) / "belay";
  }
  const auto home = from("HOME");
  if (!home.starts_with('/')) {
    throw Error(ErrorKind::system, "there is no home directory to keep the state in");
  }
  return fs::path(home) / ".local/state/belay";
}

void secure_state_directory(const fs::path& directory) {
  std::error_code problem;
  fs::create_directories(directory.parent_path(), problem);
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    throw Error::from_errno("cannot make the state directory " + directory.string(), errno);
  }
  const UniqueFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) {
    throw Error::from_errno("the state directory " + directory.string() +
                                " is not a folder that can be trusted",
                            errno);
  }
  struct stat facts {};
  if (fstat(fd.get(), &facts) != 0) {
    throw Error::from_errno("cannot look at " + directory.string(), errno);
  }
  if (facts.st_uid != geteuid()) {
    throw Error(ErrorKind::system, "the state directory " + directory.string() +
                                       " belongs to user " + std::to_string(facts.st_uid) +
                                       ", not to us");
  }
  if ((facts.st_mode & 0077U) != 0 && fchmod(fd.get(), 0700) != 0) {
    throw Error::from_errno("cannot close " + directory.string() + " to others", errno);
  }
}

std::string identity_of(const fs::path& directory, const std::string& boot) {
  fs::path missing;
  auto there = directory.lexically_normal();
  struct stat facts {};
  while (stat(there.c_str(), &facts) != 0) {
    if (errno != ENOENT || !there.has_relative_path()) {
      return "";
    }
    missing = there.filename() / missing;
    there = there.parent_path();
  }
  return boot.empty() ? ""
                      : boot + ":" + std::to_string(facts.st_dev) + ":" +
                            std::to_string(facts.st_ino) + ":" + missing.string();
}

bool is_transaction_id(std::string_view text) {
  return text.size() >= 8 && text.size() <= 64 &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::vector<std::string> list_transactions(const fs::path& state_directory) {
  std::vector<std::string> ids;
  std::error_code problem;
  for (fs::directory_iterator entry(state_directory, problem), end; !problem && entry != end;
       entry.increment(problem)) {
    const auto name = entry->path().filename().string();
    if (is_transaction_id(name) && entry->symlink_status().type() == fs::file_type::directory) {
      ids.push_back(name);
    }
  }
  if (problem && problem != std::errc::no_such_file_or_directory) {
    throw Error::from_errno("cannot list " + state_directory.string(), problem.value());
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

} // namespace belay::agent
