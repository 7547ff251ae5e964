// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "reporters/http_post.h"

#include <array>
#include <chrono>

// What an answer means for a message: the decisions of delivery without its threads and clocks.

namespace belay::reporters {

/// The longest wait before each attempt; the real one is drawn between nothing and it ("full
/// jitter"), so that many runners do not come back at once.
inline constexpr std::array<Duration, 5> attempt_delays{
    std::chrono::seconds(0), std::chrono::seconds(1), std::chrono::seconds(3),
    std::chrono::seconds(8), std::chrono::seconds(20)};

enum class Delivery {
  done,    ///< 2xx
  again,   ///< no answer, 408, 425, 429, 5xx
  refused, ///< anything else; a redirect too, which is never followed
  gone,    ///< 410: this endpoint wants nothing any more
};

Delivery judge_response(const HttpResponse& response);

/// "HTTP 503" or why there was no answer.
std::string describe_response(const HttpResponse& response);

} // namespace belay::reporters
