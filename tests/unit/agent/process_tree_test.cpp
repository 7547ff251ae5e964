// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/process_tree.h"

#include "tests/catch.h"

using namespace belay::agent;

TEST_CASE("process tree: names with blanks and parentheses") {
  const auto facts = parse_process_stat(
      "4242 (a) b (c) S 17 4242 4200 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2");
  CHECK(facts.pid == 4242);
  CHECK(facts.parent == 17);
  CHECK(facts.session == 4200);
  CHECK(facts.start == 987654);
  CHECK_FALSE(facts.dead);
  CHECK(parse_process_stat("garbage").pid == 0);
  CHECK(parse_process_stat("1 (x) S 1").pid == 0);
}
