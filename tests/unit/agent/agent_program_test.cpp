// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/protocol.h"

#include "tests/catch.h"
#include "tests/unit/agent/deploy_steps.h"

#include <sys/stat.h>

// The program by itself: its command line, its size, and that serve shows it is alive.

using namespace belay::agent;
using namespace belay::agent::test;
using std::chrono::seconds;

TEST_CASE("agent: heartbeats come while nothing happens") {
  if (left_out()) {
    return;
  }
  NixWorld world;
  Conversation agent(world);
  const auto begin = belay::BootClock::now();
  CHECK(std::holds_alternative<Heartbeat>(agent.next()));
  CHECK(std::holds_alternative<Heartbeat>(agent.next()));
  CHECK(belay::BootClock::now() - begin < seconds(6));
}

TEST_CASE("agent: the program is small and says what it is") {
  const auto version = NixWorld().run({agent_program(), "--version"});
  CHECK(version.out.starts_with("belay-agent "));
  CHECK(NixWorld().run({agent_program(), "--help"}).out.find("recover") != std::string::npos);
  CHECK(NixWorld().run({agent_program()}).status == 2);
  CHECK(NixWorld().run({agent_program(), "explode"}).status == 2);
  CHECK(NixWorld().run({agent_program(), "recover", "0123456789abcdef"}).status == 1);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  struct stat facts {};
  REQUIRE(stat(agent_program().c_str(), &facts) == 0);
  CHECK(facts.st_size < 4 * 1024 * 1024);
#endif
}
