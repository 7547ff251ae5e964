// SPDX-License-Identifier: Apache-2.0
#include "engine/run/follow.h"

#include "engine/base/error.h"
#include "engine/run/agent_log.h"

#include <algorithm>

namespace belay::run {

namespace {

// What is told unasked may get lost in ways that nobody notices: now and then, ask.
constexpr Duration ask_interval = std::chrono::seconds(10);

/// Worth another connection: the way to the target is at fault, not the request.
bool is_contact_problem(const Error& error) {
  switch (error.kind()) {
  case ErrorKind::unreachable:
  case ErrorKind::authentication_failed:
  case ErrorKind::host_key_mismatch:
  case ErrorKind::agent_missing:
  case ErrorKind::no_privilege: // the activation may have changed who may do what, and the
  case ErrorKind::secret:       // rollback changes it back
  case ErrorKind::transport_unsupported:
  case ErrorKind::deadline_exceeded:
  case ErrorKind::protocol:
  case ErrorKind::system:
    return true;
  default:
    return false;
  }
}

} // namespace

Duration next_delay(Duration delay) {
  constexpr Duration longest = std::chrono::seconds(4);
  return delay == Duration::zero() ? Duration(std::chrono::seconds(1))
                                   : std::min(2 * delay, longest);
}

void sleep_for(Duration duration, const Wait& wait) {
  const auto pause = wait.within(duration);
  if (wait_readable(-1, pause) == Ready::cancelled) {
    wait.cancel.throw_if_cancelled();
  }
}

Follow::Follow(const Contact& contact, const plan::Node& node, NodeLink& link,
               const plan::Profile& profile, NodeStages& stages)
    : contact_(contact), node_(node), link_(link), owner_(link.owner_of(profile)),
      profile_(profile), stages_(stages) {
  listen();
}

Follow::~Follow() {
  if (owner_.link.client) {
    owner_.link.client->listen({}); // the link outlives us
  }
}

void Follow::take(agent::ProfileStatus status) {
  latest_ = std::move(status);
}

void Follow::listen() {
  if (!owner_.link.client) {
    return;
  }
  owner_.link.client->listen([this](const agent::Message& message) {
    if (const auto* changed = std::get_if<agent::StatusChanged>(&message)) {
      if (changed->transaction == owner_.transaction && changed->profile.name == profile_.name) {
        take(changed->profile);
      }
    } else if (const auto* output = std::get_if<agent::ScriptOutput>(&message)) {
      if (output->transaction == owner_.transaction && output->profile == profile_.name) {
        stages_.log("activation", output->text);
      }
    }
  });
}

void Follow::adopt(AgentLink link) {
  // The client first: its channel belongs to the session that goes after it.
  owner_.link.client.reset();
  owner_.link = std::move(link);
  listen();
}

void Follow::lose(const Error& error) {
  stale_ = was_lost_ = true;
  owner_.link.client.reset();
  stages_.tell(event::LogLine{"ssh", error.message(), std::nullopt, true}, event::Level::warn);
}

void Follow::ping_others(const Wait& wait) {
  link_.ping({.contact = contact_, .node = node_, .wait = wait, .brief = true}, &owner_);
}

void Follow::rest(Duration duration, const Wait& wait) {
  const auto pause = wait.within(duration);
  ping_others(wait);
  sleep_for(pause.left(), pause);
}

void Follow::pause(const Wait& wait) {
  delay_ = next_delay(delay_);
  rest(delay_, wait);
}

void Follow::ensure_link(const Wait& wait) {
  while (!owner_.link.client) {
    wait.cancel.throw_if_cancelled();
    if (wait.expired()) {
      throw Error(ErrorKind::deadline_exceeded, "the target was not heard of before the deadline");
    }
    try {
      adopt(connect_fresh(contact_, node_, owner_, wait.within(fresh_login_limit(wait))));
      unproven_ = true;
    } catch (const Error& error) {
      if (!is_contact_problem(error)) {
        throw;
      }
      lose(error);
      pause(wait);
    }
  }
}

agent::ReplyBody Follow::request(const agent::RequestBody& body, const Wait& wait) {
  for (;;) {
    ensure_link(wait);
    try {
      auto reply = owner_.link.client->call(body, wait.within(2 * silence_limit));
      delay_ = Duration::zero();
      unproven_ = false;
      return reply;
    } catch (const Error& error) {
      const bool lost = error.kind() == ErrorKind::unreachable ||
                        (error.kind() == ErrorKind::deadline_exceeded && !wait.expired());
      if (!lost) {
        throw;
      }
      lose(error);
      if (unproven_) { // the first fresh connection comes at once
        pause(wait);
      }
    }
  }
}

agent::ReplyBody Follow::demand(const agent::RequestBody& body, const Wait& wait) {
  auto reply = request(body, wait);
  if (const auto* refusal = std::get_if<agent::Refusal>(&reply)) {
    throw error_of(*refusal);
  }
  return reply;
}

/// A target that is short of something for a moment has not said anything about the deploy.
agent::ReplyBody Follow::state(const Wait& wait) {
  for (;;) {
    auto reply = request(agent::StateRequest{owner_.transaction}, wait);
    const auto* refusal = std::get_if<agent::Refusal>(&reply);
    if (refusal == nullptr) {
      return reply;
    }
    if (refusal->reason != "system" || wait.expired()) {
      throw error_of(*refusal);
    }
    stages_.log("agent", "not told yet: " + refusal->message);
    pause(wait);
  }
}

void Follow::ask(const Wait& wait) {
  const auto reply = state(wait);
  const auto* status = std::get_if<agent::TransactionStatus>(&reply);
  if (status == nullptr) {
    throw Error(ErrorKind::protocol, "the agent answered state with something else");
  }
  stale_ = false;
  take(status_of(*status, profile_.name));
}

void Follow::tell_log(const Wait& wait) {
  try {
    ensure_link(wait);
    stages_.log(agent_log_stream, read_agent_log(*owner_.link.client, owner_.transaction, wait));
  } catch (const Error& error) {
    stages_.log("agent", std::string("the log of the target cannot be had: ") + error.what());
  }
}

agent::ProfileStatus Follow::until(const std::function<bool(const agent::ProfileStatus&)>& settled,
                                   const Wait& wait) {
  auto ask_at = BootClock::now() + ask_interval;
  while (!latest_ || !settled(*latest_)) {
    if (stale_ || !owner_.link.client || BootClock::now() >= ask_at) {
      ask(wait);
      ask_at = BootClock::now() + ask_interval;
      continue;
    }
    try {
      owner_.link.client->pump(wait);
      if (!latest_ || !settled(*latest_)) { // and where nothing is heard, what comes next is ours
        ping_others(wait);
      }
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::deadline_exceeded) {
        throw Error(ErrorKind::deadline_exceeded,
                    "the target did not say before the deadline how it ended");
      }
      if (error.kind() != ErrorKind::unreachable && error.kind() != ErrorKind::protocol) {
        throw;
      }
      lose(error);
    }
  }
  return *latest_;
}

} // namespace belay::run
