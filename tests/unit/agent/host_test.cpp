// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/host.h"

#include "engine/base/file.h"
#include "tests/catch.h"

#include <cstdlib>
#include <unistd.h>

// Whose home, name and folders an agent has, whatever the sudo that started it left in the
// environment.

using namespace belay;
using namespace belay::agent;

namespace {

/// A variable of this process, for as long as this lives; null = not set.
class Variable {
public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* now = std::getenv(name)) {
      before_ = now;
    }
    set(value);
  }
  ~Variable() { set(before_ ? before_->c_str() : nullptr); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

private:
  void set(const char* value) {
    if (value != nullptr) {
      setenv(name_, value, 1);
    } else {
      unsetenv(name_);
    }
  }
  const char* name_;
  std::optional<std::string> before_;
};

std::map<std::string, std::string> looked_around() {
  PosixProcessRunner processes;
  SystemClock clock;
  return look_around(std::nullopt, processes, clock).surroundings.environment;
}

} // namespace

TEST_CASE("host: another user's home, name and folders are not kept (5.7, 5.10)") {
  if (geteuid() != 0) {
    WARN("only root can make a folder of somebody else: left out");
    return;
  }
  const TemporaryDirectory login("/tmp/belay-login-");
  REQUIRE(chown(login.path().c_str(), 4711, 4711) == 0);
  const Variable home("HOME", login.path().c_str());
  const Variable user("USER", "deploy");
  const Variable name("LOGNAME", "deploy");
  const Variable state("XDG_STATE_HOME", (login.path() / "state").c_str());
  auto environment = looked_around();
  CHECK(environment["HOME"] != login.path());
  CHECK(environment["HOME"].starts_with('/'));
  CHECK(environment["USER"] == "root");
  CHECK(environment["LOGNAME"] == "root");
  CHECK_FALSE(environment.contains("XDG_STATE_HOME"));
}

TEST_CASE("host: one's own home and folders are") {
  const TemporaryDirectory own("/tmp/belay-home-");
  const Variable home("HOME", own.path().c_str());
  const Variable state("XDG_STATE_HOME", (own.path() / "state").c_str());
  auto environment = looked_around();
  CHECK(environment["HOME"] == own.path());
  CHECK(environment["XDG_STATE_HOME"] == own.path() / "state");
}
