// SPDX-License-Identifier: Apache-2.0
#include "runner/url_secrets.h"

#include "engine/base/text.h"
#include "engine/event/secret_mask.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace belay::runner {

namespace {

using Views = std::vector<std::string_view>;

/// The parts of one URL that matter here; `userinfo` without its @, `query` without its ?.
struct Url {
  std::string_view userinfo, host_and_path, query, fragment_and_rest;
  bool is_http = false;
  bool has_userinfo = false;
};

bool is_scheme_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '+' || c == '-' || c == '.';
}

/// What ends a URL in a text.
constexpr std::string_view ends = " \t\r\n\"'";

/// `separator`: where "://" stands in `text`.
Url parse(std::string_view text, std::size_t separator) {
  std::size_t scheme = separator;
  while (scheme > 0 && is_scheme_character(text[scheme - 1])) {
    --scheme;
  }
  const auto name = text.substr(scheme, separator - scheme);
  const auto begin = separator + 3;
  const auto end = std::min(text.find_first_of(ends, begin), text.size());
  const auto authority_end = std::min(text.find_first_of("/?#", begin), end);
  Url url;
  url.is_http = name.ends_with("http") || name.ends_with("https");
  const auto at = text.substr(begin, authority_end - begin).rfind('@');
  url.has_userinfo = at != std::string_view::npos;
  const auto host = url.has_userinfo ? begin + at + 1 : begin;
  url.userinfo = text.substr(begin, url.has_userinfo ? at : 0);
  const auto fragment = std::min(text.find('#', host), end);
  const auto query = std::min(text.find('?', host), fragment);
  url.host_and_path = text.substr(host, query - host);
  if (query < fragment) {
    url.query = text.substr(query + 1, fragment - query - 1);
  }
  url.fragment_and_rest = text.substr(fragment);
  return url;
}

Views parameters_of(std::string_view query) {
  Views parameters;
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    parameters.push_back(query.substr(0, end));
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return parameters;
}

std::string lower_name_of(std::string_view parameter) {
  std::string name(parameter.substr(0, parameter.find('=')));
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
    return c == '-' ? '_' : static_cast<char>(std::tolower(c));
  });
  return name;
}

/// None of Nix's own is: ref, rev, dir, host, name, narHash, publicKey, …
bool is_secret(std::string_view parameter) {
  static constexpr std::array<std::string_view, 7> whole{"key", "apikey", "sig",          "pass",
                                                         "pwd", "auth",   "authorization"};
  static constexpr std::array<std::string_view, 8> parts{
      "token", "secret", "password", "passwd", "signature", "api_key", "credential", "access_key"};
  const auto name = lower_name_of(parameter);
  return parameter.find('=') != std::string_view::npos &&
         (std::find(whole.begin(), whole.end(), name) != whole.end() ||
          std::any_of(parts.begin(), parts.end(),
                      [&](std::string_view part) { return name.find(part) != std::string::npos; }));
}

int digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

std::string without_escapes(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
    plain += escape ? static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])) : text[i];
    i += escape ? 2 : 0;
  }
  return plain;
}

void add(std::vector<std::string>& secrets, std::string_view secret) {
  for (auto& form : {std::string(secret), without_escapes(secret)}) {
    if (!form.empty() && std::find(secrets.begin(), secrets.end(), form) == secrets.end()) {
      secrets.push_back(form);
    }
  }
}

/// The name is one, too, where it stands for the password ("TOKEN:x-oauth-basic", "TOKEN:").
void add_userinfo(std::vector<std::string>& secrets, const Url& url) {
  constexpr std::size_t shortest_token = 20; // longer than the names that forges have for tokens
  const auto colon = url.userinfo.find(':');
  const auto name = url.userinfo.substr(0, colon);
  const auto password =
      colon == std::string_view::npos ? std::string_view() : url.userinfo.substr(colon + 1);
  if (!password.empty() && password.size() < event::SecretMask::shortest) {
    add(secrets, std::string(url.userinfo) + "@"); // too short to be masked by itself
  } else {
    add(secrets, password);
  }
  const bool alone = password.empty() || password == "x-oauth-basic";
  if (url.is_http && (alone || name.size() >= shortest_token)) {
    add(secrets, name);
  }
}

} // namespace

std::vector<std::string> url_secrets(std::string_view text) {
  std::vector<std::string> secrets;
  for (auto at = text.find("://"); at != std::string_view::npos; at = text.find("://", at + 3)) {
    const Url url = parse(text, at);
    add_userinfo(secrets, url);
    for (const auto parameter : parameters_of(url.query)) {
      if (is_secret(parameter)) {
        add(secrets, parameter.substr(parameter.find('=') + 1));
      }
    }
  }
  return secrets;
}

std::string without_url_secrets(const std::string& reference) {
  const auto separator = reference.find("://");
  if (separator == std::string::npos) {
    return reference;
  }
  const Url url = parse(reference, separator);
  std::string result = reference.substr(0, separator + 3);
  if (url.has_userinfo && !url.is_http) {
    result.append(url.userinfo.substr(0, url.userinfo.find(':'))).append("@");
  }
  result.append(url.host_and_path);
  std::vector<std::string> kept;
  for (const auto parameter : parameters_of(url.query)) {
    if (!is_secret(parameter)) {
      kept.emplace_back(parameter);
    }
  }
  if (!kept.empty()) {
    result.append("?").append(join(kept, "&"));
  }
  return result.append(url.fragment_and_rest);
}

} // namespace belay::runner
