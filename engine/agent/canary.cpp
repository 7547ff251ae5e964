// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/canary.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace belay::agent {

namespace {

constexpr std::size_t hash_length = 32;

std::optional<struct stat> look(int directory, const std::string& name) {
  struct stat facts {};
  if (fstatat(directory, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) == 0) {
    return facts;
  }
  if (errno == ENOENT) {
    return std::nullopt;
  }
  throw Error::from_errno("cannot look at " + name, errno);
}

} // namespace

Canary::Canary(std::filesystem::path folder, const StorePath& closure)
    : folder_(std::move(folder)),
      path_(folder_ /
            ("deploy-rs-canary-" + std::string(closure.base_name().substr(0, hash_length)))) {}

void Canary::open_folder() {
  std::error_code problem; // what is wrong is said by open
  std::filesystem::create_directories(folder_, problem);
  directory_ = UniqueFd(open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory_) {
    throw Error::from_errno("cannot use the folder " + folder_.string() + " (tempPath)", errno);
  }
}

void Canary::clear() {
  open_folder();
  const auto name = path_.filename().string();
  const auto found = look(directory_.get(), name);
  if (!found) {
    return;
  }
  if (S_ISREG(found->st_mode) && found->st_uid != geteuid()) {
    throw Error(ErrorKind::system, path_.string() + " belongs to user " +
                                       std::to_string(found->st_uid) +
                                       ": remove it, or choose another tempPath");
  }
  if (unlinkat(directory_.get(), name.c_str(), 0) != 0 && errno != ENOENT) {
    throw Error::from_errno("cannot remove " + path_.string() + ", which an earlier deploy left",
                            errno);
  }
}

void Canary::make(const std::string& transaction) {
  const UniqueFd file(openat(directory_.get(), path_.filename().c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  struct stat facts {};
  if (!file || fstat(file.get(), &facts) != 0) {
    throw Error::from_errno("cannot make " + path_.string(), errno);
  }
  file_ = {facts.st_dev, facts.st_ino};
  write_all(file.get(), transaction + "\n");
}

bool Canary::is_gone() const {
  const auto found = look(directory_.get(), path_.filename().string());
  return !found || std::pair(found->st_dev, found->st_ino) != file_;
}

bool Canary::take_back() {
  return file_ && !is_gone() && unlinkat(directory_.get(), path_.filename().c_str(), 0) == 0;
}

std::optional<std::string> Canary::read() const {
  const UniqueFd file(open(path_.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat facts {};
  if (!file || fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode) ||
      facts.st_uid != geteuid()) {
    return std::nullopt;
  }
  std::array<char, 256> text{};
  const auto count = ::read(file.get(), text.data(), text.size());
  return count <= 0 ? std::nullopt
                    : std::optional(std::string(
                          trim(std::string_view(text.data(), static_cast<std::size_t>(count)))));
}

} // namespace belay::agent
