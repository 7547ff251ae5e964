// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/protocol.h"
#include "engine/agent/script_output.h"
#include "engine/agent/status.h"
#include "engine/agent/transaction_files.h"
#include "engine/base/clock.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

// Watches one transaction for a connection: what its scripts print and how its profiles stand. It
// polls, as it also has to on systems without a way to be told. States that come and go between two
// looks are not told; the output that led to a state always is, before it.

namespace belay::agent {

class Follower {
public:
  struct Options {
    bool output_from_start = true; ///< else only what is printed from now on
  };
  Follower(TransactionFiles files, const Clock& clock, Options options);

  /// What is new since the last call.
  std::vector<Message> poll();
  /// Makes the next poll tell of this profile even if nothing changes.
  void tell_again(const std::string& profile) { told_[profile] = "?"; }

  const TransactionFiles& files() const { return files_; }
  /// As of the last poll.
  bool closed() const { return closed_; }

private:
  void take_output(const Snapshot& snapshot, std::vector<Message>& messages);
  bool journal_changed();

  TransactionFiles files_;
  const Clock& clock_;
  Options options_;
  std::uintmax_t journal_size_ = 0;
  std::optional<Snapshot> snapshot_;
  std::map<std::string, std::string> told_; ///< by profile: what was said of its state
  std::vector<ScriptOutputReader> outputs_;
  bool closed_ = false;
};

} // namespace belay::agent
