// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/script_output.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace belay::agent {

namespace {

std::int64_t size_of(int fd) {
  struct stat facts {};
  return fstat(fd, &facts) == 0 ? facts.st_size : 0;
}

std::string read_range(int fd, std::int64_t from, std::int64_t to) {
  std::string text(static_cast<std::size_t>(std::max<std::int64_t>(to - from, 0)), '\0');
  const auto got = pread(fd, text.data(), text.size(), from);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

/// False where the file system has no holes.
bool punch_hole(int fd, std::int64_t end) {
#ifdef __linux__
  return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, end) == 0;
#else
  return false;
#endif
}

std::string not_shown(std::int64_t bytes) {
  return "[" + format_bytes(static_cast<std::uint64_t>(bytes)) + " of output are not shown]";
}

} // namespace

ScriptOutputFile::ScriptOutputFile(const std::filesystem::path& path, std::int64_t cap)
    : fd_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)), cap_(cap) {
  if (!fd_) {
    throw Error::from_errno("cannot open " + path.string(), errno);
  }
}

void ScriptOutputFile::keep_small() {
  constexpr std::int64_t block = 64 * 1024;
  const auto end = (size_of(fd_.get()) - cap_) / block * block;
  if (end < hole_end_ + block) {
    return;
  }
  if (!punch_hole(fd_.get(), end)) {
    [[maybe_unused]] const int ignored = ftruncate(fd_.get(), 0); // losing it beats a full disk
  }
  hole_end_ = size_of(fd_.get()) < end ? 0 : end;
}

std::string ScriptOutputFile::tail(std::size_t bytes) const {
  const auto size = size_of(fd_.get());
  return read_range(fd_.get(), std::max<std::int64_t>(0, size - static_cast<std::int64_t>(bytes)),
                    size);
}

std::string output_tail(const std::filesystem::path& path, std::size_t limit) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) {
    return {};
  }
  const auto size = size_of(fd.get());
  const auto from = std::max<std::int64_t>(0, size - static_cast<std::int64_t>(limit));
  const auto text = read_range(fd.get(), from, size);
  if (from == 0) {
    return text;
  }
  const auto lines = tail(text, limit - 1); // from the start of one
  return not_shown(size - static_cast<std::int64_t>(lines.size())) + "\n" + std::string(lines);
}

ScriptOutputReader::ScriptOutputReader(std::filesystem::path path, Options options)
    : path_(std::move(path)), options_(options) {
  std::error_code missing;
  const auto size = std::filesystem::file_size(path_, missing);
  if (!options_.from_start && !missing) {
    offset_ = static_cast<std::int64_t>(size);
  }
}

void ScriptOutputReader::skip_to(std::int64_t offset, std::vector<std::string>& lines) {
  lines.push_back(not_shown(offset - offset_));
  offset_ = offset;
  line_.clear();
}

void ScriptOutputReader::take(std::string_view text, std::vector<std::string>& lines) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    line_ += text.substr(0, end);
    while (line_.size() > options_.line_cap) {
      lines.push_back(line_.substr(0, options_.line_cap));
      line_.erase(0, options_.line_cap);
    }
    if (end < text.size()) {
      lines.push_back(std::exchange(line_, {}));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::vector<std::string> ScriptOutputReader::read_lines(bool all) {
  std::vector<std::string> lines;
  struct stat facts {};
  const bool news = stat(path_.c_str(), &facts) == 0 && facts.st_size != offset_;
  if (!news && (!all || line_.empty())) {
    return lines; // most looks end here
  }
  const UniqueFd fd(open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) {
    return lines;
  }
  const auto size = size_of(fd.get());
  if (size < offset_) {
    offset_ = 0; // it was cut
    line_.clear();
  }
  if (size - offset_ > options_.burst_cap) {
    skip_to(size - options_.burst_cap, lines);
  }
  const auto text = read_range(fd.get(), offset_, size);
  offset_ += static_cast<std::int64_t>(text.size());
  take(text, lines);
  if (all && !line_.empty()) {
    lines.push_back(std::exchange(line_, {}));
  }
  return lines;
}

} // namespace belay::agent
