// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/cancel.h"
#include "reporters/web_url.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

// The seam to the network: one POST, no redirects, certificates checked against the system's
// bundle.

namespace belay::reporters {

struct HttpRequest {
  WebUrl url;
  std::optional<WebUrl> proxy;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body; ///< application/json
  Duration connect_timeout = std::chrono::seconds(5);
};

struct HttpResponse {
  int status = 0;                      ///< 0 = there was none
  std::string error;                   ///< why there was none; holds no part of the URL
  std::optional<Duration> retry_after; ///< of the header, in its form of seconds
};

class HttpPost {
public:
  virtual ~HttpPost() = default;
  /// Returns by the end of `wait`. Any thread.
  virtual HttpResponse post(const HttpRequest& request, const Wait& wait) = 0;
};

/// The real one (cpp-httplib).
class HttplibPost final : public HttpPost {
public:
  HttpResponse post(const HttpRequest& request, const Wait& wait) override;
};

} // namespace belay::reporters
