// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"
#include "tests/layering/source_tree.h"

#include <map>
#include <set>
#include <string>

// A folder is a layer, and may include only what stands below it. The table is the architecture;
// whoever wants to change it changes it here, on purpose.

namespace belay::layering {

namespace {

using Names = std::set<std::string>;

struct Layer {
  Names folders;   ///< beside itself
  Names libraries; ///< by the start of their include path
};

const std::map<std::string, Layer>& layers() {
  static const Names engine = {"engine/base", "engine/agent", "engine/plan", "engine/event",
                               "engine/nix",  "engine/ssh",   "engine/run"};
  static const std::map<std::string, Layer> table = {
      {"engine/base", {{}, {}}},
      {"engine/agent", {{"engine/base"}, {"nlohmann/"}}},
      {"engine/plan", {{"engine/base"}, {"nlohmann/", "yaml-cpp/"}}},
      {"engine/event", {{"engine/base"}, {"nlohmann/"}}},
      {"engine/nix", {{"engine/base", "engine/plan"}, {"nlohmann/"}}},
      {"engine/ssh", {{"engine/base"}, {"libssh2"}}},
      {"engine/run", {engine, {}}},
      {"reporters",
       {{"engine/base", "engine/event"}, {"nlohmann/", "httplib.h", "spdlog/", "openssl/"}}},
  };
  return table;
}

/// Every library that is not the standard's or the system's.
const Names& libraries() {
  static const Names all = {"nlohmann/", "yaml-cpp/", "libssh2", "httplib.h",
                            "spdlog/",   "openssl/",  "CLI/",    "catch2/"};
  return all;
}

std::string library_of(const std::string& path) {
  for (const std::string& library : libraries())
    if (path.starts_with(library))
      return library;
  return {};
}

/// Folders of system headers. A library that is new here must be added to the tables above.
bool is_system_folder(const std::string& path) {
  for (const char* folder : {"sys/", "netinet/", "arpa/", "net/", "linux/", "mach-o/", "mach/"})
    if (path.starts_with(folder))
      return true;
  return path.find('/') == std::string::npos;
}

std::string folder_of(const std::string& include) {
  const std::size_t first = include.find('/');
  if (!include.starts_with("engine/"))
    return include.substr(0, first);
  return include.substr(0, include.find('/', first + 1));
}

/// What is wrong with one include, empty if nothing is.
std::string complaint(const SourceFile& file, const Include& include) {
  const auto layer = layers().find(file.folder);
  if (include.quoted) {
    const std::string folder = folder_of(include.path);
    if (file.is_test() || folder == file.folder)
      return {};
    if (folder == "tests")
      return "a test's header in the product";
    if (layer != layers().end() ? layer->second.folders.contains(folder) : file.folder == "runner")
      return {};
    return folder + " does not stand below " + file.folder;
  }
  const std::string library = library_of(include.path);
  if (library.empty())
    return is_system_folder(include.path) ? "" : "a library that no table knows";
  if (file.is_test() || layer == layers().end() || layer->second.libraries.contains(library))
    return {};
  return file.folder + " may not know " + library;
}

SourceFile file_in(const std::string& path, const std::string& folder) {
  return {path, folder, {}};
}

} // namespace

TEST_CASE("a folder includes only what stands below it") {
  std::size_t includes = 0;
  for (const SourceFile& file : read_sources())
    for (const std::string& line : file.lines) {
      const Include include = include_of(line);
      if (include.path.empty())
        continue;
      ++includes;
      const std::string wrong = complaint(file, include);
      if (!wrong.empty())
        FAIL_CHECK(file.path << " includes " << include.path << ": " << wrong);
    }
  CHECK(includes > 500); // the tree was found
}

TEST_CASE("the rule bites") {
  const SourceFile base = file_in("engine/base/file.h", "engine/base");
  CHECK(complaint(base, {"engine/plan/plan.h", true}) ==
        "engine/plan does not stand below engine/base");
  CHECK(complaint(base, {"engine/base/error.h", true}).empty());
  CHECK(complaint(base, {"nlohmann/json.hpp", false}) == "engine/base may not know nlohmann/");
  CHECK(complaint(base, {"boost/asio.hpp", false}) == "a library that no table knows");
  CHECK(complaint(base, {"sys/stat.h", false}).empty());
  const SourceFile reporter = file_in("reporters/junit.cpp", "reporters");
  CHECK_FALSE(complaint(reporter, {"engine/run/loop.h", true}).empty());
  const SourceFile runner = file_in("runner/main.cpp", "runner");
  CHECK(complaint(runner, {"reporters/junit.h", true}).empty());
  CHECK_FALSE(complaint(runner, {"tests/catch.h", true}).empty());
  CHECK(complaint(runner, {"CLI/CLI.hpp", false}).empty());
}

/// Parsing json.hpp costs seconds a file, so no layer makes another one pay for it.
TEST_CASE("what one layer includes of another does not drag in nlohmann/json") {
  std::map<std::string, std::vector<Include>> headers;
  std::vector<std::string> open; // headers that are used from another folder
  for (const SourceFile& file : read_sources())
    for (const std::string& line : file.lines) {
      const Include include = include_of(line);
      if (include.path.empty())
        continue;
      if (file.is_header())
        headers[file.path].push_back(include);
      if (include.quoted && !file.is_test() && folder_of(include.path) != file.folder)
        open.push_back(include.path);
    }
  Names seen;
  while (!open.empty()) {
    const std::string header = open.back();
    open.pop_back();
    if (!seen.insert(header).second)
      continue;
    for (const Include& include : headers[header]) {
      if (include.path == "nlohmann/json.hpp")
        FAIL_CHECK(header << " includes nlohmann/json.hpp: json_fwd.hpp at most");
      if (include.quoted)
        open.push_back(include.path);
    }
  }
  CHECK(seen.size() > 20);
}

} // namespace belay::layering
