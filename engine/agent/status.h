// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/protocol.h"
#include "engine/agent/record.h"
#include "engine/agent/transaction_files.h"
#include "engine/agent/view.h"
#include "engine/base/clock.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

// What can be told about a transaction by somebody who only reads it: record, journal, decision
// files and the profile links as they are this moment. Nothing here changes anything.

namespace belay::agent {

struct Snapshot {
  Record record;
  View view;
  bool kept = false; ///< a keeper lives

  std::vector<ProfileStatus> profiles;
};

/// nullopt where there is no such transaction, or none that was ever complete.
std::optional<Snapshot> take_snapshot(const TransactionFiles& files, const Clock& clock);

/// As take_snapshot, and nullopt also for what was read and is not of a kind that we know: a record
/// of a version to come, not ours to judge. What could not be read is not that, and throws.
std::optional<Snapshot> snapshot_if_known(const TransactionFiles& files, const Clock& clock);

TransactionStatus status_of(const Snapshot& snapshot);

/// For `belay-agent status`: for a person, and for a program (one JSON object).
std::string describe_all(const std::filesystem::path& state_directory, const Clock& clock);
std::string describe_all_as_json(const std::filesystem::path& state_directory, const Clock& clock);

} // namespace belay::agent
