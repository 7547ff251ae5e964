// SPDX-License-Identifier: Apache-2.0
#include "engine/base/file.h"

#include "engine/base/error.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace belay {

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

void UniqueFd::reset() {
  if (const int fd = release(); fd >= 0) {
    close(fd);
  }
}

std::pair<UniqueFd, UniqueFd> make_pipe() {
  int ends[2] = {-1, -1};
#ifdef __linux__
  if (pipe2(ends, O_CLOEXEC) != 0) {
    throw Error::from_errno("cannot make a pipe", errno);
  }
#else
  if (pipe(ends) != 0) {
    throw Error::from_errno("cannot make a pipe", errno);
  }
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  fcntl(ends[1], F_SETFD, FD_CLOEXEC);
#endif
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

bool is_file_name(std::string_view name) {
  constexpr std::size_t longest = 199;
  return !name.empty() && name != "." && name != ".." && name.size() <= longest &&
         name.find_first_of(std::string_view("/\0", 2)) == name.npos;
}

void set_nonblocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    throw Error::from_errno("cannot make a descriptor non-blocking", errno);
  }
}

std::string read_file(const std::filesystem::path& path, std::size_t cap) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    throw Error::from_errno("cannot open " + path.string(), errno);
  }
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t count = read(fd.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      throw Error::from_errno("cannot read " + path.string(), errno);
    }
    if (count == 0) {
      return text;
    }
    text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > cap) {
      throw Error(ErrorKind::system,
                  path.string() + " is larger than " + std::to_string(cap) + " bytes");
    }
  }
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      throw Error::from_errno("cannot write", errno);
    }
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

void replace_file(const std::filesystem::path& path, std::string_view text,
                  const ReplaceOptions& options) {
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  std::error_code problem;
  std::filesystem::create_directories(folder, problem);
  if (problem) {
    throw Error(ErrorKind::system,
                "cannot make the folder " + folder.string() + ": " + problem.message());
  }
  std::string temporary = path.string() + ".XXXXXX";
  UniqueFd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) {
    throw Error::from_errno("cannot make a file beside " + path.string(), errno);
  }
  try {
    write_all(fd.get(), text);
    if (fchmod(fd.get(), options.mode) != 0 || (options.sync && fsync(fd.get()) != 0)) {
      throw Error::from_errno("cannot finish", errno);
    }
    fd.reset();
    if (rename(temporary.c_str(), path.c_str()) != 0) {
      throw Error::from_errno("cannot rename", errno);
    }
  } catch (Error& error) {
    unlink(temporary.c_str());
    error.add_context("writing " + path.string());
    throw;
  }
  if (options.sync) {
    sync_directory(folder);
  }
}

void sync_directory(const std::filesystem::path& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || fsync(fd.get()) != 0) {
    throw Error::from_errno("cannot sync the folder " + path.string(), errno);
  }
}

std::filesystem::path make_temporary_directory(const std::string& prefix) {
  std::string name = prefix + "XXXXXX";
  if (mkdtemp(name.data()) == nullptr) {
    throw Error::from_errno("cannot make a folder " + name, errno);
  }
  return name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

} // namespace belay
