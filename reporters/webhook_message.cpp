// SPDX-License-Identifier: Apache-2.0
#include "reporters/webhook_message.h"

#include "engine/base/text.h"
#include "engine/event/event_json.h"

#include <algorithm>

namespace belay::reporters {

namespace {

bool is_never_sent(const event::Payload& payload) {
  return std::holds_alternative<event::LogLine>(payload) ||
         std::holds_alternative<event::WebhookDelivered>(payload) ||
         std::holds_alternative<event::WebhookFailed>(payload);
}

bool is_wanted_by_default(const event::Payload& payload) {
  if (const auto* finished = std::get_if<event::NodeFinished>(&payload))
    return finished->outcome != event::Outcome::success;
  return std::holds_alternative<event::RunStarted>(payload) ||
         std::holds_alternative<event::NodeRolledBack>(payload) ||
         std::holds_alternative<event::RunFinished>(payload);
}

/// A URL needs no other escapes in JSON once it is clean and short.
std::string json_url(const event::RunState& state) {
  const std::string url = state.started ? one_line(state.started->trigger.url) : "";
  const bool plain = url.find_first_of("\"\\") == std::string::npos && url.size() < 1000;
  return url.empty() || !plain ? "null" : "\"" + url + "\"";
}

} // namespace

bool matches_glob(std::string_view glob, std::string_view text) {
  // The last star seen, and how much of the text it has swallowed so far.
  std::size_t at = 0, star = std::string_view::npos, swallowed = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (at < glob.size() && glob[at] == '*') {
      star = at++;
      swallowed = i;
    } else if (at < glob.size() && (glob[at] == '?' || glob[at] == text[i])) {
      ++at;
      ++i;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      i = ++swallowed;
    } else {
      return false;
    }
  }
  return glob.find_first_not_of('*', at) == std::string_view::npos;
}

bool is_wanted(const event::Event& event, const std::vector<std::string>& globs) {
  if (is_never_sent(event.payload))
    return false;
  if (globs.empty())
    return is_wanted_by_default(event.payload);
  return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
    return matches_glob(glob, event::type_of(event.payload));
  });
}

std::string webhook_body(const event::Event& event, const event::RunState& state) {
  const std::string start = "{\"type\":\"belay." + std::string(event::type_of(event.payload)) +
                            "\",\"timestamp\":\"" + format_time(event.time) + "\"";
  std::string body = start + ",\"data\":" + event::to_json_line(event) + "}";
  if (body.size() <= webhook_body_limit)
    return body;
  const std::string end = ",\"truncated\":true,\"url\":" + json_url(state) + "}";
  constexpr std::string_view data = ",\"data\":";
  return start + std::string(data) +
         event::to_json_line(event, webhook_body_limit - start.size() - data.size() - end.size()) +
         end;
}

std::string webhook_id(const event::Event& event) {
  return event.run + "-" + std::to_string(event.sequence);
}

} // namespace belay::reporters
