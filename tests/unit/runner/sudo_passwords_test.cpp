// SPDX-License-Identifier: Apache-2.0
#include "runner/sudo_passwords.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tests/catch.h"

#include <filesystem>

using namespace belay;
using namespace belay::runner;
using Kind = plan::SecretSource::Kind;

namespace {

plan::Plan plan_with(const std::optional<plan::SecretSource>& source) {
  plan::Plan plan;
  plan::Node node;
  node.name = "web-1";
  node.profiles.push_back({"system",
                           *StorePath::parse("/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-web"),
                           std::nullopt, std::nullopt, "root"});
  node.profiles[0].sudo_password = source;
  plan.nodes.push_back(node);
  return plan;
}

SudoPasswords taken(std::map<std::string, std::string> variables) {
  std::set<std::string> names;
  for (const auto& [name, value] : variables) {
    names.insert(name);
  }
  return {names, [&](const std::string& name) { return std::optional(variables[name]); }};
}

std::string problem_of(const SudoPasswords& passwords, const plan::SecretSource& source) {
  try {
    passwords.fetch(plan_with(source));
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::secret);
    return error.message();
  }
  return "none";
}

} // namespace

TEST_CASE("a password comes from a variable or a file, without the line's end") {
  const TemporaryDirectory folder(
      (std::filesystem::temp_directory_path() / "belay-sudo.").string());
  const auto file = (folder.path() / "password").string();
  replace_file(file, "from file\n");
  const auto passwords = taken({{"DB_SUDO", "from variable\n"}});
  const plan::SecretSource variable{Kind::variable, "DB_SUDO"};
  CHECK(passwords.fetch(plan_with(variable)).at(variable)->text() == "from variable");
  const plan::SecretSource named{Kind::file, file};
  const auto found = passwords.fetch(plan_with(named));
  CHECK(found.at(named)->text() == "from file");
  CHECK(found.at(named)->origin() == "the file " + file);
}

TEST_CASE("a password that is missing is missed only by those who need it") {
  const auto passwords = taken({});
  CHECK(passwords.fetch(plan_with(std::nullopt)).empty());
  auto skipped = plan_with(plan::SecretSource{Kind::variable, "DB_SUDO"});
  skipped.nodes[0].skip = true;
  CHECK(passwords.fetch(skipped).empty());
  CHECK(problem_of(passwords, {Kind::variable, "DB_SUDO"}) ==
        "node web-1, profile system: sudo's password: the environment variable DB_SUDO is not set");
  CHECK(problem_of(passwords, {Kind::file, "/nowhere"}).find("/nowhere") != std::string::npos);
}

TEST_CASE("what cannot be one line of a password is refused, and not repeated") {
  const std::string bad = GENERATE(values<std::string>({"two\nlines", std::string(1024, 'x')}));
  const auto problem = problem_of(taken({{"DB_SUDO", bad}}), {Kind::variable, "DB_SUDO"});
  CHECK(problem.find("DB_SUDO holds no password") != std::string::npos);
  CHECK(problem.find(bad) == std::string::npos);
}

TEST_CASE("an empty variable is none") {
  CHECK(problem_of(taken({{"DB_SUDO", " \n"}}), {Kind::variable, "DB_SUDO"}).find("not set") !=
        std::string::npos);
}
