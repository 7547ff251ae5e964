// SPDX-License-Identifier: Apache-2.0
#include "reporters/jsonl.h"

#include "engine/event/event_json.h"

#include <utility>

namespace belay::reporters {

JsonlReporter::JsonlReporter(std::string target)
    : target_(std::move(target)), writer_(open_output(target_)) {}

void JsonlReporter::report(const event::Event& event, const event::RunState&) {
  writer_.write(event::to_json_line(event));
}

void JsonlReporter::finish(Instant deadline) {
  writer_.drain(deadline);
}

} // namespace belay::reporters
