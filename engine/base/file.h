// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

// Files as belay uses them: read with a cap, replaced whole or not at all. Everything here throws
// Error{system} with the path in its message.

namespace belay {

/// Owns a file descriptor.
class UniqueFd {
public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();

private:
  int fd_ = -1;
};

/// A pipe, both ends close-on-exec: {read end, write end}.
std::pair<UniqueFd, UniqueFd> make_pipe();

/// Whether a text can be the name of a file in a folder: it may hold anything but what makes it
/// another one's, and leaves room for what programs add to it (less than 200 bytes).
bool is_file_name(std::string_view name);

/// Adds O_NONBLOCK.
void set_nonblocking(int fd);

/// The whole file. Throws also where it is larger than `cap` bytes.
std::string read_file(const std::filesystem::path& path, std::size_t cap);

/// Writes all of `text`; EINTR and short writes are survived.
void write_all(int fd, std::string_view text);

/// What replace_file does beside replacing.
struct ReplaceOptions {
  unsigned mode = 0644;
  bool sync = false; ///< fsync file and folder: the new content survives a power cut
};

/// Replaces `path` with `text` by a temporary file in the same folder and rename: readers see the
/// old or the new content, never half. Folders are made.
void replace_file(const std::filesystem::path& path, std::string_view text,
                  const ReplaceOptions& options = {});

/// fsync of a folder, which makes a rename in it durable.
void sync_directory(const std::filesystem::path& path);

/// A fresh folder, mode 0700, named PREFIX plus six random characters. `prefix` is a whole path.
std::filesystem::path make_temporary_directory(const std::string& prefix);

/// Such a folder that is removed with everything in it.
class TemporaryDirectory {
public:
  explicit TemporaryDirectory(const std::string& prefix)
      : path_(make_temporary_directory(prefix)) {}
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();
  const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
};

} // namespace belay
