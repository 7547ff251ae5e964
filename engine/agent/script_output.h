// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/file.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

// The file that a profile's scripts write into. The keeper keeps it small without the script's
// help: what stands before the last `cap` bytes is given back to the disk as a hole, so that
// offsets go on counting and the script, which appends, notices nothing. serve reads along behind
// it and may fall behind: then it skips, and says how much.

namespace belay::agent {

/// The keeper's side.
class ScriptOutputFile {
public:
  ScriptOutputFile(const std::filesystem::path& path, std::int64_t cap);
  void keep_small();
  std::string tail(std::size_t bytes) const;

private:
  UniqueFd fd_;
  std::int64_t cap_;
  std::int64_t hole_end_ = 0;
};

/// The last `limit` bytes of what was printed into it, led by a line about what is left out; empty
/// where there is no such file.
std::string output_tail(const std::filesystem::path& path, std::size_t limit);

/// serve's side. One thread.
class ScriptOutputReader {
public:
  struct Options {
    bool from_start = true;
    std::size_t line_cap = 8 * 1024;    ///< longer lines come in pieces
    std::int64_t burst_cap = 64 * 1024; ///< more than this at once is skipped
  };
  ScriptOutputReader(std::filesystem::path path, Options options);

  /// What came since the last call. A last line without its end is kept back, unless `all`.
  std::vector<std::string> read_lines(bool all);

private:
  void skip_to(std::int64_t offset, std::vector<std::string>& lines);
  void take(std::string_view text, std::vector<std::string>& lines);

  std::filesystem::path path_;
  Options options_;
  std::int64_t offset_ = 0;
  std::string line_;
};

} // namespace belay::agent
