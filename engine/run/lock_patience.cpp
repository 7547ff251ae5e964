// SPDX-License-Identifier: Apache-2.0
#include "engine/run/lock_patience.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace belay::run {

namespace {

/// What the earlier of two runs waits longer: time for the later one to say that it gave up.
constexpr Duration least_lead = std::chrono::seconds(5);

std::string detail(const agent::Refusal& refusal, const char* name) {
  const auto found = refusal.details.find(name);
  return found == refusal.details.end() ? std::string() : found->second;
}

Duration seconds_from(const std::string& text) {
  // A target that says more would hold the run, and all hosts that this one has locked, for as long
  // as it likes.
  constexpr std::int64_t most = 3'600;
  std::int64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return std::chrono::seconds(std::clamp<std::int64_t>(count, 0, most));
}

} // namespace

LockHolder holder_of(const agent::Refusal& refusal) {
  return {.run = detail(refusal, "run"),
          .node = detail(refusal, "node"),
          .url = detail(refusal, "url"),
          .since = detail(refusal, "since"),
          .transaction = detail(refusal, "transaction"),
          .attended = detail(refusal, "attended") != "false",
          .unfinished = detail(refusal, "unfinished") == "true",
          .deployed = detail(refusal, "deployed") == "true",
          .rest = seconds_from(detail(refusal, "rest_s"))};
}

std::string describe(const LockHolder& holder) {
  return (holder.run.empty() ? "another deploy" : "run " + holder.run) +
         (holder.url.empty() ? "" : " (" + holder.url + ")") +
         (holder.since.empty() ? "" : " since " + holder.since);
}

LockPatience::LockPatience(Duration longest, std::string own_run)
    : longest_(longest), own_run_(std::move(own_run)) {}

Instant LockPatience::until(const LockHolder& holder, Instant began) {
  if (longest_ == Duration::zero() || holder.unfinished || holder.deployed) {
    return began;
  }
  const bool later_than_us = holder.run > own_run_;
  const auto lead = later_than_us ? std::max(longest_ / 10, least_lead) : Duration::zero();
  const std::lock_guard lock(mutex_);
  const auto since = std::min(met_.emplace(holder.run, began).first->second, began);
  const auto patience = since + longest_ + lead;
  return holder.attended ? patience : std::max(patience, began + holder.rest);
}

void LockPatience::gave_way(const std::string& run) {
  const std::lock_guard lock(mutex_);
  met_.erase(run);
}

} // namespace belay::run
