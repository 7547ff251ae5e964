// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/protocol.h"
#include "engine/agent/transaction_files.h"
#include "engine/base/clock.h"

#include <optional>
#include <string>
#include <vector>

// How serve asks the keeper for something: a file in the transaction's folder, dropped by rename,
// so that it is there whole or not at all. The keeper answers in its journal, then removes the
// file; a keeper that dies in between finds its answer in the journal and only removes. The order
// is that of the names.

namespace belay::agent {

class RequestQueue {
public:
  explicit RequestQueue(const TransactionFiles& files) : files_(files) {}

  /// serve's side: returns the name under which the answer will be in the journal.
  std::string drop(const RequestBody& body, const Clock& clock) const;

  struct Dropped {
    std::string name;
    std::optional<RequestBody> body; ///< nullopt: it is no request
  };
  /// The keeper's side: what is there, oldest first. What cannot be read now is left out: it may be
  /// there the next time.
  std::vector<Dropped> list() const;
  bool is_there(const std::string& name) const;
  /// Whether it was there.
  bool remove(const std::string& name) const;

  /// When somebody asked for anything last, of this boot; nullopt: nobody did, or nobody can tell.
  std::optional<Instant> last_seen(const std::string& boot) const;
  void touch(Instant now, const std::string& boot) const;

private:
  bool fill(Dropped& dropped) const;
  TransactionFiles files_;
};

} // namespace belay::agent
