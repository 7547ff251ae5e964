// SPDX-License-Identifier: Apache-2.0
#include "engine/base/secret.h"

#include "engine/base/process.h"
#include "tests/catch.h"

#include <cstdlib>

using namespace belay;

TEST_CASE("a variable that was taken is gone, also for children") {
  setenv("BELAY_TEST_SECRET", "hunter2", 1);
  CHECK(take_variable("BELAY_TEST_SECRET") == "hunter2");
  CHECK(take_variable("BELAY_TEST_SECRET") == std::nullopt);
  ProcessSpec spec;
  spec.argv = {"env"};
  PosixProcessRunner processes;
  const auto child = processes.run(spec, Wait::at_most(std::chrono::seconds(10)));
  CHECK(child.succeeded());
  CHECK(child.out.find("BELAY_TEST_SECRET") == std::string::npos);
}

TEST_CASE("a text that was wiped is empty") {
  std::string text = "a text that is too long to live within the object itself";
  wipe(text);
  CHECK(text.empty());
}
