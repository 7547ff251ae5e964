// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

// docs/security.md names the test of each claim: they must exist.

TEST_CASE("each test that docs/security.md names is there") {
  const std::filesystem::path root = BELAY_SOURCE_DIR;
  std::ifstream file(root / "docs/security.md");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::regex name("`(tests/[^`]+)`");
  std::set<std::string> named;
  for (std::sregex_iterator found(text.begin(), text.end(), name), end; found != end; ++found) {
    named.insert((*found)[1]);
  }
  CHECK(named.size() > 10);
  for (const auto& path : named) {
    INFO(path);
    CHECK(std::filesystem::exists(root / path));
  }
}
