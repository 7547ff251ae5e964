// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/transaction.h"
#include "tests/unit/agent/simulated_target.h"

#include <string>

// What the tests of a transaction begin with: one profile of a simulated target.

namespace belay::agent::test {

inline const std::string old_path = store_path("old");
inline const std::string new_path = store_path("new");

/// A target that is on old_path, and a transaction to new_path that is prepared there.
struct TransactionCase {
  SimulatedTarget target;
  Record record;

  explicit TransactionCase(const std::string& closure = new_path) {
    target.install(41, old_path);
    record = record_of(target.recorded(closure));
  }
  PrepareRequest::Profile& wanted() { return record.profiles[0].wanted; }
  Transaction begin() { return target.wake(record); }
  std::string current() const { return target.read(SimulatedTarget::profile).generation.path; }
};

} // namespace belay::agent::test
