// SPDX-License-Identifier: Apache-2.0
#include "reporters/text_log.h"

#include "engine/base/file.h"
#include "tests/catch.h"
#include "tests/unit/reporters/sample_events.h"

using namespace belay;
using namespace belay::reporters;

namespace {

event::Event of(event::Payload payload, const std::string& message = "") {
  return test::sample(std::move(payload), {"web-1", "system", event::Stage::activate, 0}, message);
}

} // namespace

TEST_CASE("text log: a line for each that was printed, with who printed it") {
  const auto lines =
      log_lines(of(event::LogLine{"activation", "one\ntwo \x1b[31m\n", std::nullopt, true}));
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].ends_with(" info  web-1/system activate: activation| one"));
  CHECK(lines[0].find('T') == 10); // the time comes first
  CHECK(lines[1].find("activation| two") != std::string::npos);
  CHECK(lines[1].find('\n') == std::string::npos);
}

TEST_CASE("text log: no script gives the CI system a command") {
  const auto lines = log_lines(
      of(event::LogLine{"activation", "x ##[set-output name=a]b\n##[error]c", std::nullopt, true}));
  REQUIRE(lines.size() == 2);
  for (const auto& line : lines)
    CHECK(line.find("##[") == std::string::npos);
  CHECK(lines[0].ends_with("x ## [set-output name=a]b"));
}

TEST_CASE("text log: other events say themselves") {
  const auto lines = log_lines(of(event::StageFinished{}, "web-1/system activate done"));
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].ends_with(" info  web-1/system activate done"));
}

TEST_CASE("text log: what was reported is in the file at once, whose folder is made") {
  const TemporaryDirectory folder("/tmp/belay-log-");
  const auto path = folder.path() / "new/run.log";
  TextLogReporter reporter(path.string());
  reporter.report(of(event::StageFinished{}, "all is well"), {});
  CHECK(read_file(path, 1000).ends_with("all is well\n"));
}
