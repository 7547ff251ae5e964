// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/run_state.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

// A run as test suites: one for each node with a case for each stage of each profile, and before
// them "(plan)" with `load`, `evaluate` and the checks, so that a run which failed early is no
// empty report. What happened is decided here; how it is written is junit.cpp's. The rule above all
// others: nothing is green unless it was said to be good, and a profile that was rolled back is
// red.

namespace belay::reporters {

struct JunitCase {
  enum class Status { passed, skipped, failure, error };
  struct Attempt { ///< an earlier attempt that failed
    std::string type, message;
  };

  std::string class_name, name;
  double seconds = 0;
  std::string file; ///< where an annotation lands; empty = nowhere
  int line = 0;
  std::optional<WallTime> started_at;
  std::vector<std::pair<std::string, std::string>> properties;
  Status status = Status::passed;
  std::string type;    ///< the `reason`
  std::string message; ///< one line; never empty unless passed
  std::string body;    ///< what follows the message
  std::string log;
  std::vector<Attempt> attempts;
};

struct JunitSuite {
  std::string name, host;
  std::optional<WallTime> started_at;
  std::vector<std::pair<std::string, std::string>> properties;
  std::vector<JunitCase> cases;

  int count(JunitCase::Status status) const;
  double seconds() const;
};

std::vector<JunitSuite> junit_suites(const event::RunState& state);

} // namespace belay::reporters
