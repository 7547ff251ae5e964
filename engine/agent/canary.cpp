// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/canary.h"

#include "engine/agent/fault_point.h"
#include "engine/agent/json_fields.h"
#include "engine/agent/record.h"
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace belay::agent {

namespace {

constexpr std::size_t hash_length = 32;
constexpr std::size_t known_cap = 4096;

std::optional<struct stat> look(const std::filesystem::path& path) {
  struct stat facts {};
  if (lstat(path.c_str(), &facts) == 0) {
    return facts;
  }
  if (errno == ENOENT) {
    return std::nullopt;
  }
  throw Error::from_errno("cannot look at " + path.string(), errno);
}

std::pair<dev_t, ino_t> identity_of(const struct stat& facts) {
  return {facts.st_dev, facts.st_ino};
}

Json json_of(const struct stat& facts) {
  return {{"device", static_cast<std::int64_t>(facts.st_dev)},
          {"inode", static_cast<std::int64_t>(facts.st_ino)}};
}

std::pair<dev_t, ino_t> identity_from(const Json& json) {
  return {static_cast<dev_t>(integer_at(json, "device")),
          static_cast<ino_t>(integer_at(json, "inode"))};
}

/// Makes the folder where it is missing.
UniqueFd open_folder(const std::filesystem::path& folder) {
  std::error_code problem; // what is wrong is said by open
  std::filesystem::create_directories(folder, problem);
  UniqueFd directory(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) {
    throw Error::from_errno("cannot use the folder " + folder.string() + " (tempPath)", errno);
  }
  return directory;
}

} // namespace

Canary::Canary(std::filesystem::path folder, const StorePath& closure)
    : folder_(std::move(folder)),
      path_(folder_ /
            ("deploy-rs-canary-" + std::string(closure.base_name().substr(0, hash_length)))) {}

void Canary::clear() const {
  open_folder(folder_);
  const auto found = look(path_);
  if (!found) {
    return;
  }
  if (S_ISREG(found->st_mode) && found->st_uid != geteuid()) {
    throw Error(ErrorKind::system, path_.string() + " belongs to user " +
                                       std::to_string(found->st_uid) +
                                       ": remove it, or choose another tempPath");
  }
  if (unlink(path_.c_str()) != 0 && errno != ENOENT) {
    throw Error::from_errno("cannot remove " + path_.string() + ", which an earlier deploy left",
                            errno);
  }
}

void Canary::show(const std::string& transaction, const std::filesystem::path& known) const {
  if (look(known)) { // by a keeper that died before it could say so
    return;
  }
  if (read() == transaction) { // the same, a moment earlier: nobody was told of that one
    unlink(path_.c_str());
  }
  const CutAround cut(Deed::show_canary);
  const auto directory = open_folder(folder_);
  const UniqueFd file(openat(directory.get(), path_.filename().c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  struct stat in {
  }, made{};
  if (!file || fstat(file.get(), &made) != 0 || fstat(directory.get(), &in) != 0) {
    throw Error::from_errno("cannot make " + path_.string(), errno);
  }
  write_all(file.get(), transaction + "\n");
  replace_file(known,
               dump({{"folder", json_of(in)}, {"file", json_of(made)}, {"boot", boot_id()}}) + "\n",
               {.mode = 0600, .sync = true});
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

ShownCanary::ShownCanary(const Canary& canary, const std::string& transaction)
    : canary_(canary), transaction_(transaction), path_(canary.path()),
      taken_(canary.path().string() + "." + transaction) {}

std::optional<ShownCanary> ShownCanary::find(const Canary& canary, const std::string& transaction,
                                             const std::filesystem::path& known) {
  if (!look(known)) {
    return std::nullopt;
  }
  const auto json = parse_object(read_file(known, known_cap));
  ShownCanary shown(canary, transaction);
  shown.folder_ = identity_from(object_at(json, "folder"));
  shown.file_ = identity_from(object_at(json, "file"));
  shown.boot_ = text_at(json, "boot");
  return shown;
}

bool ShownCanary::can_tell() const {
  struct stat folder {};
  return boot_ == boot_id() && stat(path_.parent_path().c_str(), &folder) == 0 &&
         identity_of(folder) == folder_;
}

/// What cannot be looked at was removed by nobody.
bool ShownCanary::is(const std::filesystem::path& path) const {
  struct stat facts {};
  return lstat(path.c_str(), &facts) == 0 ? identity_of(facts) == file_ : errno != ENOENT;
}

/// After a restart the inode says nothing any more; a folder may outlive it.
void ShownCanary::remove_by_name() const {
  if (canary_.read() == transaction_) {
    unlink(path_.c_str());
  }
}

bool ShownCanary::is_removed() const {
  // In this order: what is taken back meanwhile is at the one place or at the other.
  return can_tell() && !is(path_) && !is(taken_);
}

bool ShownCanary::take() const {
  if (!can_tell()) {
    remove_by_name();
    return true;
  }
  if (is(path_)) {
    const CutAround cut(Deed::take_canary);
    const bool renamed = rename(path_.c_str(), taken_.c_str()) == 0;
    if (renamed && !is(taken_)) { // removed a moment ago, and something else stood there already
      rename(taken_.c_str(), path_.c_str());
      return false;
    }
    // Where we may not touch it, nor may who confirms.
    return renamed || !is_removed();
  }
  return is(taken_);
}

void ShownCanary::drop() const {
  for (const auto& path : {path_, taken_}) {
    if (can_tell() && is(path)) {
      unlink(path.c_str());
    }
  }
}

} // namespace belay::agent
