// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/protocol.h"
#include "engine/base/cancel.h"
#include "engine/run/agent_start.h"
#include "engine/run/sudo_prompt.h"
#include "engine/ssh/transport.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

// The runner's end of a conversation with `belay-agent serve`. It writes nothing before the agent's
// Hello, so that whatever a login shell prints, and a sudo that asks, cannot swallow a request.
// While it waits for a reply it passes on what the agent tells unasked. A lost connection is
// Error{unreachable} here: what that means for the deploy is decided by whoever asked.

namespace belay::run {

/// How long an agent may be silent before its connection counts as lost: two heartbeats and a bit.
inline constexpr Duration silence_limit = std::chrono::seconds(5);

class AgentClient {
public:
  /// Told of every StatusChanged and ScriptOutput, in order.
  using Listener = std::function<void(const agent::Message&)>;

  /// Starts the agent, gives sudo its password where it asks, and waits for Hello. Throws what
  /// start_failure says where the command ended without one, Error{secret} for a wrong password,
  /// Error{protocol} for another protocol version, and what a channel throws.
  AgentClient(ssh::Session& session, const AgentStart& start, const Wait& wait);

  const agent::Hello& hello() const { return hello_; }
  void listen(Listener listener) { listener_ = std::move(listener); }

  /// One request, its reply. Refusals are replies. Throws Error{unreachable} after silence_limit
  /// without a word, Error{deadline_exceeded}, Error{cancelled}, Error{protocol}.
  agent::ReplyBody call(agent::RequestBody body, const Wait& wait);

  /// Waits for one unasked message and passes it to the listener. Throws as call.
  void pump(const Wait& wait);

  /// When the last request was sent.
  Instant last_request() const { return last_request_; }

private:
  std::optional<std::string> read_line(const Wait& wait);
  agent::Message next(const Wait& wait);
  bool await_hello(const Wait& wait);
  void take_hello(const std::string& line);

  SudoPrompt prompt_;
  std::unique_ptr<ssh::Channel> channel_;
  std::string buffer_;
  std::string noise_; ///< printed before the greeting
  agent::Hello hello_;
  Listener listener_;
  std::int64_t last_id_ = 0;
  Instant last_request_{};
};

} // namespace belay::run
