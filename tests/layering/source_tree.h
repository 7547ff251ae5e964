// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

// The repository's own sources, as text, for tests that hold them to the house's rules.

namespace belay::layering {

struct SourceFile {
  std::string path;   ///< from the repository's root: "engine/base/file.h"
  std::string folder; ///< of the layer: "engine/base", "reporters"; tests: "tests"
  std::vector<std::string> lines;

  bool is_header() const { return path.ends_with(".h"); }
  bool is_test() const { return folder == "tests"; }
};

struct Include {
  std::string path;
  bool quoted = false; ///< "…", not <…>
};

/// The include of a line, if it is one; path is empty otherwise.
Include include_of(std::string_view line);

/// All .h and .cpp files of engine, reporters, runner and tests, by path.
std::vector<SourceFile> read_sources();

/// A whole file of the repository.
std::string read_repository_file(const std::filesystem::path& path);

} // namespace belay::layering
