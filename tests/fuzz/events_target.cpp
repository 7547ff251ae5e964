// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/event/event_json.h"
#include "engine/event/run_state.h"
#include "reporters/junit.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/strict_xml.h"

#include <sstream>

// A saved event stream, as `belay report` reads it, and its lines one by one. What is made of it
// again is never better than what is in it, and always XML.

namespace belay::fuzz {

namespace {

void feed_line(const std::string& line) {
  try {
    const auto event = event::from_json_line(line);
    if (!event)
      return;
    const std::string written = event::to_json_line(*event);
    require(written.size() < event::line_limit, "a line keeps to its limit");
    require(written.find('\n') == std::string::npos, "an event is one line");
    const auto read = event::from_json_line(written);
    require(read.has_value(), "what was written is read");
    require(event::to_json_line(*read) == written, "an event is written and read as the same");
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::protocol, "no event: protocol");
  }
}

void feed_stream(std::string_view text) {
  std::istringstream stream{std::string(text)};
  try {
    const event::RunState state = event::load_events(stream);
    const event::Verdict verdict = event::judge(state);
    require((verdict.outcome == event::Outcome::success) == (verdict.exit_code == 0),
            "green and exit code 0 are one");
    for (const event::NodeState& node : state.nodes)
      require(verdict.exit_code != 0 || node.finished.has_value(), "silence is never green");
    require_xml(reporters::junit_xml(state));
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::protocol || error.kind() == ErrorKind::usage,
            "no events: protocol or usage");
  }
}

} // namespace

void feed(std::string_view text) {
  for (const std::string& line : split(text, '\n'))
    feed_line(line);
  feed_stream(text);
}

} // namespace belay::fuzz
