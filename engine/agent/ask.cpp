// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/ask.h"

#include "engine/agent/canary_decisions.h"
#include "engine/agent/requests.h"
#include "engine/agent/status.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>
#include <optional>
#include <thread>

namespace belay::agent {

namespace {

// The keeper answers within a tick, except while nix-env waits for a profile's lock.
constexpr std::chrono::seconds answer_limit{150};

} // namespace

Refusal unknown_transaction(const std::string& transaction) {
  return {
      "unknown-transaction", "there is no transaction " + one_line(transaction.substr(0, 80)), {}};
}

namespace {

/// The keeper's answer to the request of this name, or that the transaction has ended.
std::optional<ReplyBody> answer_in(const TransactionFiles& files, const std::string& name) {
  const View view(0, read_journal(files.journal()));
  if (const auto found = view.requests.find(name); found != view.requests.end()) {
    const auto& answer = found->second;
    return answer.reason.empty() ? ReplyBody(Accepted{})
                                 : ReplyBody(Refusal{answer.reason, answer.message, {}});
  }
  if (view.closed) { // it ended while we asked
    RequestQueue(files).remove(name);
    return unknown_transaction(files.id());
  }
  return std::nullopt;
}

/// nullopt: none came in time. Throws Error{system} where no keeper is to be had.
std::optional<ReplyBody> await_answer(const TransactionFiles& files, const Host& host,
                                      const std::string& name) {
  const auto wait = Wait::at_most(answer_limit);
  auto next_check = host.clock.now() + keeper_check;
  Duration pause{1};
  while (!wait.expired()) {
    if (auto answer = answer_in(files, name)) {
      return answer;
    }
    if (host.clock.now() >= next_check) {
      next_check = host.clock.now() + keeper_check;
      ensure_keeper(files, host);
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, Duration(20));
  }
  return std::nullopt;
}

/// Who is told that it failed must not find it obeyed later. One that a keeper has taken meanwhile
/// has an answer. That a deploy is to end may be obeyed at any time.
std::optional<ReplyBody> take_back(const TransactionFiles& files, const RequestBody& request,
                                   const std::string& name) {
  const bool ends = std::holds_alternative<AbandonRequest>(request) ||
                    std::holds_alternative<FinishRequest>(request);
  return ends || RequestQueue(files).remove(name) ? std::nullopt : answer_in(files, name);
}

} // namespace

ReplyBody ask_keeper(const TransactionFiles& files, const Host& host, const RequestBody& request) {
  ensure_keeper(files, host);
  const auto name = RequestQueue(files).drop(request, host.clock);
  try {
    if (auto answer = await_answer(files, host, name)) {
      return *answer;
    }
  } catch (const Error&) {
    if (auto answer = take_back(files, request, name)) {
      return *answer;
    }
    throw;
  }
  return take_back(files, request, name)
      .value_or(Refusal{"system", "the keeper of the transaction does not answer", {}});
}

void decide_for_confirmed(const TransactionFiles& files, const Host& host, std::size_t profile) {
  const auto snapshot = take_snapshot(files, host.clock);
  if (!snapshot || snapshot->view.profiles.at(profile).state != State::awaiting_confirm) {
    return;
  }
  const auto& view = snapshot->view.profiles[profile];
  const bool late = view.boot != boot_id() || snapshot->view.abandoned ||
                    host.clock.now() >= view.deadline.value_or(Instant::min());
  CanaryDecisions(files, snapshot->record)
      .decide(profile, late ? Verdict::expired : Verdict::confirmed);
  ensure_keeper(files, host); // somebody has to act on it
}

} // namespace belay::agent
