// SPDX-License-Identifier: Apache-2.0
#include "runner/console_choice.h"

#include "engine/base/file.h"
#include "tests/catch.h"

#include <cstdlib>
#include <fcntl.h>
#include <map>

using namespace belay;
using namespace belay::runner;

namespace {

using Variables = std::map<std::string, std::string>;

reporters::ConsoleOptions chosen(const Variables& variables, const plan::Reports& reports = {}) {
  return console_options(reports, [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

} // namespace

TEST_CASE("a console is live on a terminal that can be drawn on and not in a CI job") {
  CHECK(chosen({{"TERM", "xterm"}}).live);
  CHECK_FALSE(chosen({{"TERM", "dumb"}}).live);
  CHECK_FALSE(chosen({{"TERM", ""}}).live);
  CHECK_FALSE(chosen({}).live);
  CHECK_FALSE(chosen({{"TERM", "xterm"}, {"CI", "true"}}).live);
  CHECK_FALSE(chosen({{"TERM", "xterm"}, {"GITHUB_ACTIONS", "true"}}).live);
  CHECK_FALSE(chosen({{"TERM", "xterm"}, {"JENKINS_URL", "https://ci.example"}}).live);
}

TEST_CASE("plain lines on a terminal, too: --no-progress and --debug-logs") {
  CHECK_FALSE(chosen({{"TERM", "xterm"}}, {.progress = false}).live);
  CHECK_FALSE(chosen({{"TERM", "xterm"}}, {.log_on_console = true}).live);
}

TEST_CASE("NO_COLOR takes the colours away and nothing else") {
  CHECK(chosen({{"TERM", "xterm"}}).colours);
  CHECK(chosen({{"TERM", "xterm"}, {"NO_COLOR", ""}}).colours);
  CHECK_FALSE(chosen({{"TERM", "xterm"}, {"NO_COLOR", "1"}}).colours);
  CHECK(chosen({{"TERM", "xterm"}, {"NO_COLOR", "1"}}).live);
}

TEST_CASE("events that go elsewhere do not change the console") {
  CHECK(chosen({{"TERM", "xterm"}}, {"out/events.jsonl", {}}).live);
  CHECK(chosen({{"TERM", "xterm"}}, {"fd:99", {}}).live);
}

TEST_CASE("events that go to a terminal by its path take the frames away") {
  const UniqueFd controller(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  REQUIRE(controller);
  REQUIRE(grantpt(controller.get()) == 0);
  REQUIRE(unlockpt(controller.get()) == 0);
  CHECK_FALSE(chosen({{"TERM", "xterm"}}, {ptsname(controller.get()), {}}).live);
  CHECK(chosen({{"TERM", "xterm"}}, {"/dev/null", {}}).live);
}
