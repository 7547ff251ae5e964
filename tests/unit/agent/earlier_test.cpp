// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/earlier.h"

#include "engine/agent/keep.h"
#include "engine/agent/status.h"
#include "engine/base/file.h"
#include "tests/catch.h"
#include "tests/unit/agent/agent_process.h"

#include <filesystem>
#include <string>

// One transaction that cannot be read must neither hide the others nor be taken for none.

using namespace belay::agent;

namespace {

struct Case {
  belay::TemporaryDirectory folder{"/tmp/belay-earlier-"};
  TransactionFiles broken{folder.path(), "00000000000000aa"};
  TransactionFiles other{folder.path(), "00000000000000bb"};
  belay::PosixProcessRunner processes;
  belay::SystemClock clock;
  Host host{.state_directory = folder.path(),
            .program = "/bin/false",
            .processes = processes,
            .clock = clock};

  Case() {
    belay::replace_file(broken.record(), "{\"version\": 99}");
    Record record;
    record.transaction = other.id();
    record.run = "run-2";
    record.since = clock.wall();
    write_record(other.record(), record);
  }
};

} // namespace

TEST_CASE("earlier: one that cannot be read does not hide the others") {
  Case c;
  const auto text = describe_all(c.folder.path(), c.clock);
  CHECK(text.find(c.broken.id() + "  cannot be read: ") != std::string::npos);
  CHECK(text.find("run run-2") != std::string::npos);
  const auto json = describe_all_as_json(c.folder.path(), c.clock);
  CHECK(json.find("run-2") != std::string::npos);
  CHECK(json.find("\"error\"") != std::string::npos);
}

TEST_CASE("earlier: one that cannot be read does not keep the others from recovery") {
  Case c;
  const auto result = c.processes.run(
      {.argv = {test::agent_program(), "recover", "--state-directory", c.folder.path().string()}},
      belay::Wait::at_most(std::chrono::seconds(20)));
  CHECK(result.end == belay::ProcessResult::End::exited);
  CHECK(result.status == 1);
  CHECK(result.err.find("transaction " + c.broken.id()) != std::string::npos);
  CHECK(take_snapshot(c.other, c.clock)->view.closed);
}

TEST_CASE("earlier: one that cannot be read holds the target while it is kept") {
  Case c;
  std::filesystem::remove_all(c.other.folder());
  {
    const auto lock = FileLock::try_acquire(c.broken.lock());
    REQUIRE(lock);
    CHECK(any_open(c.folder.path()));
    const auto turn = take_turn(c.host);
    REQUIRE(std::holds_alternative<Refusal>(turn));
    CHECK(std::get<Refusal>(turn).reason == "lock-held");
    CHECK(std::get<Refusal>(turn).details.at("transaction") == c.broken.id());
  }
  CHECK_FALSE(any_open(c.folder.path()));
  CHECK(std::holds_alternative<FileLock>(take_turn(c.host)));
}
