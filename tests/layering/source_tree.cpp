// SPDX-License-Identifier: Apache-2.0
#include "tests/layering/source_tree.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace belay::layering {

namespace {

const std::filesystem::path root = BELAY_SOURCE_DIR;

/// "engine/base" of "engine/base/file.h", "tests" of "tests/unit/base/file_test.cpp".
std::string layer_of(const std::string& path) {
  const std::size_t first = path.find('/');
  if (!path.starts_with("engine/"))
    return path.substr(0, first);
  return path.substr(0, path.find('/', first + 1));
}

SourceFile read_source(const std::filesystem::path& path) {
  SourceFile file;
  file.path = path.lexically_relative(root).generic_string();
  file.folder = layer_of(file.path);
  std::ifstream stream(path);
  for (std::string line; std::getline(stream, line);)
    file.lines.push_back(line);
  return file;
}

} // namespace

Include include_of(std::string_view line) {
  constexpr std::string_view word = "#include ";
  if (!line.starts_with(word))
    return {};
  line.remove_prefix(word.size());
  const bool quoted = line.starts_with('"');
  if (!quoted && !line.starts_with('<'))
    return {};
  line.remove_prefix(1);
  return {std::string(line.substr(0, line.find(quoted ? '"' : '>'))), quoted};
}

std::vector<SourceFile> read_sources() {
  std::vector<SourceFile> files;
  for (const char* folder : {"engine", "reporters", "runner", "tests"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder))
      if (entry.path().extension() == ".h" || entry.path().extension() == ".cpp")
        files.push_back(read_source(entry.path()));
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

std::string read_repository_file(const std::filesystem::path& path) {
  std::ifstream stream(root / path);
  if (!stream)
    throw std::runtime_error("cannot read " + path.string());
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

} // namespace belay::layering
