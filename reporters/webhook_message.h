// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/run_state.h"

#include <string>
#include <string_view>
#include <vector>

// Which events a webhook is sent, and as what.

namespace belay::reporters {

/// Bytes of a message at most, as the standard recommends.
inline constexpr std::size_t webhook_body_limit = 20'000;

/// `*` stands for any characters, also none; `?` for one.
bool matches_glob(std::string_view glob, std::string_view text);

/// Without globs: run.started, node.finished that is no success, node.rolled_back, run.finished.
/// Logs are never sent, whatever the globs say, and neither is what is about webhooks themselves.
bool is_wanted(const event::Event& event, const std::vector<std::string>& globs);

/// {"type":"belay.TYPE","timestamp":…,"data":{the event}}; where the event was cut to fit, also
/// "truncated":true and "url", the page of the CI run.
std::string webhook_body(const event::Event& event, const event::RunState& state);

/// "RUN-SEQ": the same for every attempt.
std::string webhook_id(const event::Event& event);

} // namespace belay::reporters
