// SPDX-License-Identifier: Apache-2.0
#include "engine/base/file.h"
#include "engine/plan/plan_file.h"
#include "tests/catch.h"

#include <filesystem>
#include <regex>

// What README and the pages under docs/ show is true: the plan file is one, links lead somewhere,
// commands name files that exist.

using namespace belay;

namespace {

const std::filesystem::path root = BELAY_SOURCE_DIR;

std::string text_of(const std::filesystem::path& path) {
  return read_file(path, 1 << 20);
}

std::vector<std::filesystem::path> pages() {
  std::vector<std::filesystem::path> found = {root / "README.md"};
  for (const auto& entry : std::filesystem::directory_iterator(root / "docs")) {
    if (entry.path().extension() == ".md") {
      found.push_back(entry.path());
    }
  }
  return found;
}

/// The blocks of one language, without their fences.
std::vector<std::string> blocks_of(const std::string& text, const std::string& language) {
  std::vector<std::string> blocks;
  const std::string open = "\n```" + language + "\n";
  for (auto at = text.find(open); at != std::string::npos; at = text.find(open, at)) {
    at += open.size();
    blocks.push_back(text.substr(at, text.find("\n```", at) + 1 - at));
  }
  return blocks;
}

std::vector<std::string> matches(const std::string& text, const std::string& pattern) {
  std::vector<std::string> found;
  const std::regex expression(pattern);
  for (std::sregex_iterator match(text.begin(), text.end(), expression), end; match != end;
       ++match) {
    found.push_back((*match)[1]);
  }
  return found;
}

} // namespace

TEST_CASE("every plan file that the documentation shows is one") {
  std::size_t count = 0;
  for (const auto& page : pages()) {
    for (const auto& block : blocks_of(text_of(page), "yaml")) {
      if (!block.starts_with("version:")) { // a pipeline's own YAML
        continue;
      }
      plan::Diagnostics problems;
      plan::parse_plan_file(block, page.filename().string(), problems);
      for (const auto& problem : problems) {
        FAIL_CHECK(problem.line_text() << "\nin:\n" << block);
      }
      ++count;
    }
  }
  CHECK(count >= 1);
}

TEST_CASE("links between pages lead to pages") {
  std::size_t count = 0;
  for (const auto& page : pages()) {
    for (const auto& link : matches(text_of(page), R"(\]\(([^)#:]+)[)#])")) {
      INFO(page << " -> " << link);
      CHECK(std::filesystem::exists(page.parent_path() / link));
      ++count;
    }
  }
  CHECK(count >= 7);
}

TEST_CASE("the commands that README gives are there") {
  const auto commands = matches(text_of(root / "README.md"), "\nbash ([^ \n]+)");
  CHECK(commands == std::vector<std::string>{"ci-examples/quickstart/run.sh", "tests/run.sh"});
  for (const auto& script : commands) {
    CHECK(std::filesystem::exists(root / script));
  }
}
