// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/requests.h"
#include "engine/agent/transaction.h"
#include "engine/agent/transaction_files.h"
#include "engine/base/clock.h"

#include <deque>
#include <functional>
#include <optional>
#include <string>

// The loop of `belay-agent keep`: takes requests, lets the transaction work, looks at deadlines,
// and ends when it may. One thread. While a script runs the transaction does not return; the
// scripts' tick then comes back here (`listen`), so that a request is answered at once in any case,
// though what it asks for may have to wait.

namespace belay::agent {

/// How many keepers of one transaction may end one after the other without getting any further.
/// They begin a second apart, so whatever ends them has a quarter of an hour to pass.
inline constexpr int most_keepers_in_vain = 1000;

class Keeper {
public:
  enum class Mode {
    serve_requests, ///< stay until finish, or until nobody has asked for idle_limit
    recover,        ///< end as soon as everything is decided; nothing new is activated
  };
  struct Options {
    Mode mode = Mode::serve_requests;
    Duration idle = idle_limit;
    Duration interval{20};
    std::function<void()> between; ///< called once a turn
  };
  Keeper(const Record& record, const TransactionFiles& files, Transaction& transaction,
         Clock& clock, Options options);

  /// Until the transaction is closed. The caller holds its lock.
  void run();
  /// Answers requests without working on them.
  void listen();

private:
  void take_requests();
  struct Answer {
    std::string reason, message; ///< reason empty = accepted
    std::optional<std::size_t> profile;
  };
  Answer answer(const RequestBody& body);
  Answer answer_activate(const ActivateRequest& request);
  Answer answer_revoke(const RevokeRequest& request);
  void work();
  bool is_idle(const std::string& boot);
  bool may_close() const;
  void close();

  const Record& record_;
  RequestQueue requests_;
  Transaction& transaction_;
  Clock& clock_;
  Options options_;
  std::deque<RequestBody> accepted_;
  Instant busy_{};    ///< when there was work last, or something to wait for
  Instant look_at_{}; ///< when to ask next whether anybody asks
  Duration pause_{};  ///< since the last answer that could not be noted
  Instant listen_at_{};
};

} // namespace belay::agent
