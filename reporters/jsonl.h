// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "reporters/line_writer.h"
#include "reporters/reporter.h"

// The event stream as JSON Lines: `--events PATH|-|fd:N`. The other reports can be made again from
// it (`belay report --from`).

namespace belay::reporters {

class JsonlReporter final : public Reporter {
public:
  /// Opens `target` (open_output says how and what it throws).
  explicit JsonlReporter(std::string target);

  std::string name() const override { return "events " + target_; }
  void report(const event::Event& event, const event::RunState& state) override;
  void finish(Instant deadline) override;

private:
  std::string target_;
  LineWriter writer_;
};

} // namespace belay::reporters
