// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/target.h"

#include "engine/base/error.h"

#include <algorithm>
#include <charconv>

namespace belay::ssh {
namespace {

[[noreturn]] void refuse(std::string_view hostname, const std::string& why) {
  throw Error(ErrorKind::invalid_plan, "hostname '" + std::string(hostname) + "': " + why);
}

std::uint16_t parse_port(std::string_view hostname, std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0)
    refuse(hostname, "'" + std::string(text) + "' is no port (1 to 65535)");
  return port;
}

void split_port(std::string_view hostname, std::string_view rest, Target& target) {
  if (rest.starts_with('[')) {
    const auto close = rest.find(']');
    if (close == std::string_view::npos)
      refuse(hostname, "the bracket is not closed");
    target.host = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
    if (rest.starts_with(':'))
      target.port = parse_port(hostname, rest.substr(1));
    else if (!rest.empty())
      refuse(hostname, "only ':PORT' may follow the bracket");
    return;
  }
  const auto colon = rest.find(':');
  // Two colons are an IPv6 address: its last group is no port.
  if (colon == std::string_view::npos || rest.find(':', colon + 1) != std::string_view::npos) {
    target.host = rest;
    return;
  }
  target.host = rest.substr(0, colon);
  target.port = parse_port(hostname, rest.substr(colon + 1));
}

bool unfit(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte <= ' ' || byte == 0x7f;
}

} // namespace

Target parse_target(std::string_view hostname) {
  Target target;
  std::string_view rest = hostname;
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    target.user = rest.substr(0, at);
    rest.remove_prefix(at + 1);
  }
  split_port(hostname, rest, target);
  if (target.host.empty())
    refuse(hostname, "no host in it");
  if (target.host.starts_with('-') || target.user.starts_with('-'))
    refuse(hostname, "it must not start with a dash");
  if (std::ranges::any_of(hostname, unfit))
    refuse(hostname, "it holds a blank or a control character");
  return target;
}

std::string host_and_port(std::string_view host, std::uint16_t port) {
  const bool brackets = host.find(':') != std::string_view::npos;
  return (brackets ? "[" + std::string(host) + "]" : std::string(host)) + ":" +
         std::to_string(port);
}

} // namespace belay::ssh
