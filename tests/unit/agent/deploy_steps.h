// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/catch.h"
#include "tests/unit/agent/agent_process.h"

#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

// The steps of a deploy as a runner takes them with `belay-agent serve`, for tests of the real
// program: each one fails the test where the agent does not go along.

namespace belay::agent::test {

/// The system profile with this closure, as a runner asks for it.
inline PrepareRequest::Profile system_of(const std::string& closure) {
  return {.name = "system", .closure = closure, .activation_timeout = std::chrono::seconds(20)};
}

/// A prepare that must not be refused.
inline TransactionStatus prepared(Conversation& agent,
                                  std::vector<PrepareRequest::Profile> profiles) {
  const auto reply = agent.ask(PrepareRequest{
      .run = "run-1", .holder_url = "https://ci.example/1", .profiles = std::move(profiles)});
  if (const auto* refusal = std::get_if<Refusal>(&reply)) {
    FAIL("refused: " << refusal->reason << ": " << refusal->message);
  }
  return std::get<TransactionStatus>(reply);
}

/// What must be a refusal.
inline Refusal refusal_of(const ReplyBody& reply) {
  REQUIRE(std::holds_alternative<Refusal>(reply));
  return std::get<Refusal>(reply);
}

/// Asks what must not be refused; heartbeats may come before the answer.
template <class T> void accepted(Conversation& agent, const T& request) {
  const auto reply = agent.ask(request);
  if (const auto* refusal = std::get_if<Refusal>(&reply)) {
    FAIL("refused: " << refusal->reason << ": " << refusal->message);
  }
}

inline State confirm(Conversation& agent, const std::string& transaction,
                     const std::string& profile = "system") {
  return std::get<Decision>(agent.ask(ConfirmRequest{transaction, profile})).state;
}

/// Deploys and confirms, so that there is something to go back to; its store path.
inline std::string deployed(NixWorld& world, const std::string& name = "old") {
  const auto path = world.generation(name, "echo activating " + name);
  Conversation agent(world);
  const auto transaction = prepared(agent, {system_of(path)}).transaction;
  accepted(agent, ActivateRequest{transaction, "system"});
  agent.until(State::awaiting_confirm);
  REQUIRE(confirm(agent, transaction) == State::confirmed);
  accepted(agent, FinishRequest{transaction});
  agent.close();
  REQUIRE(world.system() == path);
  return path;
}

/// Until the last keeper of this transaction has ended.
inline void await_no_keeper(const NixWorld& world, const std::string& transaction) {
  const auto wait = Wait::at_most(std::chrono::seconds(20));
  while (!world.keepers(transaction).empty()) {
    REQUIRE_FALSE(wait.expired());
    std::this_thread::yield();
  }
}

} // namespace belay::agent::test
