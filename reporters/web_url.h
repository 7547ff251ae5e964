// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

// The URLs of webhooks and of proxies. A webhook's path and query often are its secret, so only
// `endpoint` may be shown.

namespace belay::reporters {

struct WebUrl {
  std::string scheme; ///< "http" or "https"
  std::string user, password;
  std::string host;         ///< without the brackets of an IPv6 address, lower case
  int port = 0;             ///< always set
  std::string target = "/"; ///< path and query

  /// "https://hooks.example", with the port where it is not the usual one.
  std::string endpoint() const;
  /// localhost, 127.0.0.0/8, ::1: what no proxy can mean the same by.
  bool is_loopback() const;
};

/// Throws Error{usage} for anything but http and https with a host; its message holds no part of
/// the URL but the scheme.
WebUrl parse_web_url(std::string_view text);

using Environment = std::function<std::optional<std::string>(const std::string& name)>;
/// The process's own.
std::optional<std::string> environment_variable(const std::string& name);

/// The proxy for `url`: https_proxy, HTTPS_PROXY or (lower case only, as curl has it) http_proxy;
/// none where no_proxy names the host or a domain above it, and never for loopback. Throws
/// Error{usage} where the variable is no URL of an http proxy.
std::optional<WebUrl> proxy_for(const WebUrl& url, const Environment& environment);

} // namespace belay::reporters
