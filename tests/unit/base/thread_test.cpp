// SPDX-License-Identifier: Apache-2.0
#include "engine/base/thread.h"
#include "tests/thread_limit.h"

#include <filesystem>
#include <optional>
#include <stdexcept>

namespace belay {

TEST_CASE("where there is no thread left, that is an Error, which says for what and what to do") {
  std::optional<Error> refused;
  {
    const tests::ThreadLimit none(0);
    try {
      start_thread("looking up names", [] {}).join();
    } catch (const Error& error) {
      refused = error;
    }
  }
  REQUIRE(refused);
  CHECK(refused->kind() == ErrorKind::system);
  CHECK(refused->message().starts_with("no thread can be had for looking up names ("));
  CHECK(refused->message().find("ulimit -u") != std::string::npos);
  bool ran = false;
  start_thread("this", [&] { ran = true; }).join();
  CHECK(ran);
}

TEST_CASE("whatever was caught is an Error: itself, the system's, or a bug") {
  const Error itself(ErrorKind::protocol, "said something else");
  CHECK(as_error(itself).kind() == ErrorKind::protocol);
  CHECK(as_error(itself).message() == "said something else");
  try {
    std::filesystem::create_directory("/proc/no/such/folder");
    FAIL("it was made");
  } catch (const std::exception& refused) {
    CHECK(as_error(refused).kind() == ErrorKind::system);
    CHECK(as_error(refused).message().find("/proc/no/such/folder") != std::string::npos);
  }
  CHECK(as_error(std::bad_alloc()).kind() == ErrorKind::system);
  CHECK(as_error(std::logic_error("a bug")).kind() == ErrorKind::internal);
}

} // namespace belay
