// SPDX-License-Identifier: Apache-2.0
#include "engine/run/lock_patience.h"
#include "tests/catch.h"

using belay::Duration;
using belay::Instant;
using belay::run::LockHolder;
using belay::run::LockPatience;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const std::string earlier = "0195510e-0000-7000-8000-000000000000";
const std::string own = "0195510e-8c00-7000-8000-000000000000";
const std::string later = "0195510f-0000-7000-8000-000000000000";
const Instant start{minutes(60)};

LockHolder holder(const std::string& run) {
  LockHolder made;
  made.run = run;
  return made;
}

} // namespace

TEST_CASE("lock patience: with zero nobody is waited for, gone or not") {
  LockPatience patience(Duration::zero(), own);
  CHECK(patience.until(holder(earlier), start) == start);
  auto gone = holder(later);
  gone.attended = false;
  gone.rest = minutes(9);
  CHECK(patience.until(gone, start) == start);
}

TEST_CASE("lock patience: what another node of this run has deployed there is not waited for") {
  LockPatience patience(seconds(60), own);
  auto twin = holder(own);
  CHECK(patience.until(twin, start) == start + seconds(60));
  twin.deployed = true;
  CHECK(patience.until(twin, start) == start);
}

TEST_CASE("lock patience: it is with a run, not with each of its nodes") {
  LockPatience patience(seconds(60), own);
  CHECK(patience.until(holder(earlier), start) == start + seconds(60));
  CHECK(patience.until(holder(earlier), start + seconds(50)) == start + seconds(60));
  CHECK(patience.until(holder("0190"), start + seconds(50)) == start + seconds(110));
  patience.gave_way(earlier);
  CHECK(patience.until(holder(earlier), start + seconds(50)) == start + seconds(110));
}

TEST_CASE("lock patience: a node does not wait longer because the holder changes") {
  LockPatience patience(seconds(60), own);
  patience.until(holder("0190"), start + seconds(40)); // met first by another node
  CHECK(patience.until(holder("0190"), start) == start + seconds(60));
}

TEST_CASE("lock patience: of two runs that wait for each other the earlier one waits longer") {
  CHECK(LockPatience(seconds(60), earlier).until(holder(later), start) == start + seconds(66));
  CHECK(LockPatience(seconds(10), earlier).until(holder(later), start) == start + seconds(15));
  CHECK(LockPatience(seconds(60), later).until(holder(earlier), start) == start + seconds(60));
}

TEST_CASE("lock patience: one whose runner is gone is waited for until its target has ended it") {
  LockPatience patience(seconds(60), own);
  auto gone = holder(earlier);
  gone.attended = false;
  gone.rest = minutes(9);
  CHECK(patience.until(gone, start) == start + minutes(9));
  gone.rest = seconds(3);
  CHECK(patience.until(gone, start) == start + seconds(60));
}

TEST_CASE("lock patience: what an agent says of the holder") {
  const auto told = belay::run::holder_of({"lock-held",
                                           "held",
                                           {{"run", "r"},
                                            {"url", "https://ci.example/1"},
                                            {"since", "2026-03-01T12:00:00.000Z"},
                                            {"transaction", "0123456789ab"},
                                            {"attended", "false"},
                                            {"rest_s", "370"}}});
  CHECK(told.run == "r");
  CHECK(told.transaction == "0123456789ab");
  CHECK_FALSE(told.attended);
  CHECK(told.rest == seconds(370));
  CHECK(describe(told) == "run r (https://ci.example/1) since 2026-03-01T12:00:00.000Z");
  const auto old = belay::run::holder_of({"lock-held", "held", {}});
  CHECK(old.attended);
  CHECK(old.rest == Duration::zero());
  CHECK(describe(old) == "another deploy");
  CHECK(belay::run::holder_of({"lock-held", "held", {{"rest_s", "604800"}}}).rest ==
        std::chrono::hours(1));
  for (const char* odd : {"", "-5", "x", "99999999999999999999"}) {
    INFO(odd);
    CHECK(belay::run::holder_of({"lock-held", "held", {{"rest_s", odd}}}).rest == Duration::zero());
  }
}
