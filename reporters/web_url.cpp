// SPDX-License-Identifier: Apache-2.0
#include "reporters/web_url.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <vector>

namespace belay::reporters {

namespace {

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorKind::usage, "this URL cannot be used: " + why);
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return result;
}

int usual_port(const WebUrl& url) {
  return url.scheme == "https" ? 443 : 80;
}

int parse_port(std::string_view text) {
  int port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || port < 1 ||
      port > 65535)
    refuse("its port is no number from 1 to 65535");
  return port;
}

void parse_host(WebUrl& url, std::string_view text) {
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos)
      refuse("its host has no end");
    url.host = lower(text.substr(1, end - 1));
    port = text.substr(end + 1);
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    url.host = lower(text.substr(0, colon));
    port = text.substr(colon);
  }
  if (url.host.empty())
    refuse("it has no host");
  if (!port.empty() && !port.starts_with(':'))
    refuse("its host is not well-formed");
  url.port = port.size() > 1 ? parse_port(port.substr(1)) : usual_port(url);
}

void parse_user(WebUrl& url, std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  url.user = text.substr(0, colon);
  url.password = colon < text.size() ? text.substr(colon + 1) : "";
}

/// no_proxy: "*", or names separated by commas, each of which covers what stands below it.
bool is_exempt(const std::string& host, const std::string& list) {
  for (const std::string& item : split(list, ',')) {
    std::string name = lower(trim(item));
    if (name == "*")
      return true;
    name.erase(0, name.find_first_not_of('.'));
    if (!name.empty() && (host == name || host.ends_with("." + name)))
      return true;
  }
  return false;
}

} // namespace

std::string WebUrl::endpoint() const {
  const bool is_address_6 = host.find(':') != std::string::npos;
  std::string text = scheme + "://" + (is_address_6 ? "[" + host + "]" : host);
  return port == usual_port(*this) ? text : text + ":" + std::to_string(port);
}

bool WebUrl::is_loopback() const {
  return host == "localhost" || host.ends_with(".localhost") || host == "::1" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos);
}

WebUrl parse_web_url(std::string_view text) {
  text = trim(text);
  if (std::any_of(text.begin(), text.end(),
                  [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; }))
    refuse("it has a blank or a control character in it");
  WebUrl url;
  const std::size_t colon = text.find("://");
  url.scheme = colon == std::string_view::npos ? "" : lower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https")
    refuse("it does not begin with https:// or http://");
  text.remove_prefix(colon + 3);
  const std::size_t path = std::min(text.find_first_of("/?#"), text.size());
  std::string_view authority = text.substr(0, path);
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    parse_user(url, authority.substr(0, at));
    authority.remove_prefix(at + 1);
  }
  parse_host(url, authority);
  const std::string_view rest = text.substr(path, text.find('#') - path);
  url.target = rest.starts_with('/') ? std::string(rest) : "/" + std::string(rest);
  return url;
}

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

std::optional<WebUrl> proxy_for(const WebUrl& url, const Environment& environment) {
  if (url.is_loopback())
    return std::nullopt;
  const auto first_of = [&](const std::vector<std::string>& names) {
    for (const std::string& name : names)
      if (const auto value = environment(name); value && !value->empty())
        return *value;
    return std::string();
  };
  const std::string proxy =
      url.scheme == "https" ? first_of({"https_proxy", "HTTPS_PROXY"}) : first_of({"http_proxy"});
  if (proxy.empty() || is_exempt(url.host, first_of({"no_proxy", "NO_PROXY"})))
    return std::nullopt;
  try {
    const WebUrl parsed =
        parse_web_url(proxy.find("://") == std::string::npos ? "http://" + proxy : proxy);
    if (parsed.scheme != "http")
      refuse("only http:// proxies are supported");
    return parsed;
  } catch (Error& error) {
    error.add_context("proxy from the environment");
    throw;
  }
}

} // namespace belay::reporters
