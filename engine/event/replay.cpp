// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/event/event_json.h"
#include "engine/event/run_state.h"

#include <string>

namespace belay::event {

namespace {

/// Sixteen times what belay writes: room for a later version, not for a file that is no stream.
constexpr std::size_t longest_line = 16 * line_limit;

struct Line {
  std::string text;
  bool whole = true; ///< ended in a line feed
};

std::optional<Line> next_line(std::istream& input) {
  Line line;
  int byte = input.get();
  if (byte == std::istream::traits_type::eof())
    return std::nullopt;
  for (; byte != std::istream::traits_type::eof() && byte != '\n'; byte = input.get()) {
    if (line.text.size() == longest_line)
      throw Error(ErrorKind::protocol, "this line is too long for an event");
    line.text += static_cast<char>(byte);
  }
  line.whole = byte == '\n';
  return line;
}

/// nullopt also for a line that its writer did not live to finish.
std::optional<Event> event_of(const Line& line) {
  if (line.whole)
    return from_json_line(line.text);
  try {
    return from_json_line(line.text);
  } catch (const Error&) {
    return std::nullopt;
  }
}

} // namespace

void replay_events(std::istream& input, Sink& sink) {
  bool any = false;
  for (std::size_t number = 1;; ++number) {
    try {
      const auto line = next_line(input);
      if (!line)
        break;
      if (const auto event = event_of(*line)) {
        any = true;
        sink.on_event(*event);
      }
    } catch (Error& error) {
      error.add_context("line " + std::to_string(number));
      throw;
    }
  }
  if (!any)
    throw Error(ErrorKind::usage, "there is no event in it");
}

RunState load_events(std::istream& input) {
  struct Folder final : Sink {
    RunState state;
    void on_event(const Event& event) override { fold(state, event); }
  } folder;
  replay_events(input, folder);
  return std::move(folder.state);
}

} // namespace belay::event
