// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"
#include "tests/layering/source_tree.h"

#include <algorithm>
#include <functional>
#include <map>
#include <regex>
#include <string>

// The rules of style that a machine can check better than a reader. clang-format has the rest of
// the form, the compiler's warnings the rest of the language.

namespace belay::layering {

namespace {

constexpr std::size_t longest_file = 400;
constexpr std::size_t longest_test =
    600; // cases stand beside each other; nobody reads them through

/// Files that may be longer, each with the length that it has been granted and why.
const std::map<std::string, std::size_t>& long_files() {
  static const std::map<std::string, std::size_t> files; // none so far
  return files;
}

std::size_t allowed_lines(const SourceFile& file) {
  const auto found = long_files().find(file.path);
  if (found != long_files().end())
    return found->second;
  return file.is_test() ? longest_test : longest_file;
}

/// Words that mark unfinished work; put together here so that this file does not hold them.
const std::vector<std::string>& unfinished() {
  static const std::vector<std::string> words = {
      std::string("TO") + "DO", std::string("FIX") + "ME",
      std::string("X") + "XX:", std::string("HA") + "CK"};
  return words;
}

void for_each_line(const std::function<void(const SourceFile&, const std::string&)>& look) {
  for (const SourceFile& file : read_sources())
    for (const std::string& line : file.lines)
      look(file, line);
}

/// `word` stands between white space or parentheses.
bool has_word(const std::string& text, const std::string& word) {
  const auto is_edge = [&](std::size_t at) {
    return at >= text.size() || std::string_view(" \t\n()").find(text[at]) != std::string::npos;
  };
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
    if (is_edge(at + word.size()) && (at == 0 || is_edge(at - 1)))
      return true;
  return false;
}

std::string without_comment(const std::string& line) {
  return line.substr(0, line.find("//"));
}

} // namespace

TEST_CASE("each file opens with its licence, and each header with #pragma once") {
  for (const SourceFile& file : read_sources()) {
    INFO(file.path);
    REQUIRE(file.lines.size() > 2);
    CHECK(file.lines[0] == "// SPDX-License-Identifier: Apache-2.0");
    if (file.is_header())
      CHECK(file.lines[1] == "#pragma once");
  }
}

TEST_CASE("each header of a layer says what it is for") {
  for (const SourceFile& file : read_sources()) {
    if (!file.is_header() || file.is_test())
      continue;
    const bool told = std::any_of(file.lines.begin() + 1, file.lines.end(), [](const auto& line) {
      return line.starts_with("// ") || line.starts_with("/// ");
    });
    if (!told)
      FAIL_CHECK(file.path << " does not say what it is for");
  }
  SUCCEED();
}

TEST_CASE("files stay short") {
  for (const SourceFile& file : read_sources())
    if (file.lines.size() > allowed_lines(file))
      FAIL_CHECK(file.path << " has " << file.lines.size() << " lines, more than "
                           << allowed_lines(file) << ": split it along a seam");
  for (const auto& [path, lines] : long_files()) {
    const std::string text = read_repository_file(path);
    INFO(path << " is listed as long and no longer is");
    CHECK(std::count(text.begin(), text.end(), '\n') > static_cast<long>(longest_file));
  }
}

TEST_CASE("file names are snake_case") {
  const std::regex snake("[a-z0-9_]+\\.(h|cpp)");
  for (const SourceFile& file : read_sources()) {
    const std::string name = file.path.substr(file.path.rfind('/') + 1);
    if (!std::regex_match(name, snake))
      FAIL_CHECK(file.path);
  }
  SUCCEED();
}

TEST_CASE("the product opens no namespace wholesale and defines no macro") {
  for_each_line([](const SourceFile& file, const std::string& line) {
    if (file.is_test()) // a test may open what it tests
      return;
    const std::string code = without_comment(line);
    if (code.find("using namespace") != std::string::npos || code.starts_with("#define"))
      FAIL_CHECK(file.path << ": " << line);
  });
  SUCCEED();
}

TEST_CASE("nothing is left unfinished") {
  for_each_line([](const SourceFile& file, const std::string& line) {
    for (const std::string& word : unfinished())
      if (line.find(word) != std::string::npos)
        FAIL_CHECK(file.path << ": " << line);
  });
  SUCCEED();
}

TEST_CASE("each source is named in its folder's CMakeLists.txt") {
  std::map<std::string, std::string> lists;
  for (const SourceFile& file : read_sources()) {
    if (file.is_test() || file.is_header())
      continue;
    std::string& list = lists[file.folder];
    if (list.empty())
      list = read_repository_file(file.folder + "/CMakeLists.txt");
    const std::string name = file.path.substr(file.folder.size() + 1);
    if (!has_word(list, name))
      FAIL_CHECK(file.path << " is compiled by nobody");
  }
  SUCCEED();
}

} // namespace belay::layering
