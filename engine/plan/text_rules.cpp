// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/text_rules.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/plan/target.h"

#include <algorithm>
#include <array>

namespace belay::plan {
namespace {

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

template <class Predicate> bool all(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}

std::optional<std::string> complain_unless(bool good, std::string complaint) {
  return good ? std::nullopt : std::optional(std::move(complaint));
}

int base64_value(char c) {
  static constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto at = alphabet.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

/// nullopt where it is no base 64.
std::optional<std::string> decode_base64(std::string_view text) {
  while (text.ends_with('=')) {
    text.remove_suffix(1);
  }
  std::string bytes;
  unsigned buffer = 0;
  int bits = 0;
  for (const char c : text) {
    const int value = base64_value(c);
    if (value < 0) {
      return std::nullopt;
    }
    buffer = (buffer << 6 | static_cast<unsigned>(value)) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>(buffer >> bits & 0xff);
    }
  }
  return bytes;
}

/// The type that a public key's blob (RFC 4253, 6.6) begins with; empty where it is none.
std::string type_of_blob(const std::string& blob) {
  if (blob.size() < 4) {
    return {};
  }
  std::size_t length = 0;
  for (int i = 0; i < 4; ++i) {
    length = length << 8 | static_cast<unsigned char>(blob[static_cast<std::size_t>(i)]);
  }
  return length < blob.size() - 4 ? blob.substr(4, length) : std::string{};
}

std::optional<std::string> check_host_key(const std::string& text) {
  static constexpr std::array<std::string_view, 7> types{"ssh-ed25519",
                                                         "ssh-rsa",
                                                         "ecdsa-sha2-nistp256",
                                                         "ecdsa-sha2-nistp384",
                                                         "ecdsa-sha2-nistp521",
                                                         "sk-ssh-ed25519@openssh.com",
                                                         "sk-ecdsa-sha2-nistp256@openssh.com"};
  const auto words = split_white_space(text);
  if (words.size() < 2 || std::find(types.begin(), types.end(), words[0]) == types.end()) {
    return "expected TYPE KEY as in /etc/ssh/ssh_host_ed25519_key.pub, such as "
           "\"ssh-ed25519 AAAA…\"";
  }
  const auto blob = decode_base64(words[1]);
  return complain_unless(blob && type_of_blob(*blob) == words[0],
                         "this is no whole key of type " + words[0] +
                             "; copy the line from the host's .pub file");
}

std::optional<std::string> check_url(const std::string& text) {
  const std::string_view url = text;
  const bool https = url.starts_with("https://");
  if (!https && !url.starts_with("http://")) {
    return "expected a URL that begins with https://";
  }
  const std::string_view rest = url.substr(https ? 8 : 7);
  const std::string_view host = rest.substr(0, rest.find_first_of("/?#"));
  const bool printable =
      all(url, [](char c) { return static_cast<unsigned char>(c) > ' ' && c != '\x7f'; });
  return complain_unless(!host.empty() && printable, "expected a URL with a host and no blanks");
}

std::optional<std::string> check_target(const std::string& text) {
  try {
    parse_target(text);
    return std::nullopt;
  } catch (const Error& error) {
    return error.message();
  }
}

} // namespace

std::optional<std::string> check_ssh_word(std::string_view text) {
  const bool clean =
      all(text, [](char c) { return static_cast<unsigned char>(c) > ' ' && c != '\x7f'; });
  return complain_unless(!text.empty() && !text.starts_with('-') && clean,
                         "it may not be empty, begin with a dash or hold white space");
}

TextRule any_text() {
  return {};
}

TextRule not_empty() {
  return {"[\\s\\S]", [](const std::string& text) {
            return complain_unless(!text.empty(), "it may not be empty");
          }};
}

TextRule environment_label() {
  return {"^[A-Za-z0-9_./-]{1,64}$", [](const std::string& text) {
            const bool good = !text.empty() && text.size() <= 64 && all(text, [](char c) {
              return is_word(c) || c == '.' || c == '/' || c == '-';
            });
            return complain_unless(good, "a label has 1 to 64 letters, digits or . _ / - , found " +
                                             in_quotes(text));
          }};
}

TextRule host_key_line() {
  return {"^(ssh-|ecdsa-|sk-)[A-Za-z0-9@.-]+\\s+[A-Za-z0-9+/]+=*", check_host_key};
}

TextRule host_name() {
  return {"^[^-\\s]\\S*$", [](const std::string& text) { return check_ssh_word(text); }};
}

TextRule variable_name() {
  return {"^[A-Za-z_][A-Za-z0-9_]*$", [](const std::string& text) {
            return complain_unless(!text.empty() && !is_digit(text.front()) && all(text, is_word),
                                   "expected the name of an environment variable, found " +
                                       in_quotes(text));
          }};
}

TextRule http_url() {
  return {"^https?://[^/?#\\s]+\\S*$", check_url};
}

TextRule target_text() {
  return {"^[^-]", check_target};
}

TextRule flake_reference() {
  return {"^[^-#][^#]*$", [](const std::string& text) {
            return text.find('#') == std::string::npos
                       ? check_target(text)
                       : std::optional<std::string>("a flake without #; to deploy a part of it "
                                                    "write targets: [" +
                                                    in_quotes(text) + "]");
          }};
}

TextRule one_of(std::vector<std::string> words) {
  const std::string pattern = "^(" + join(words, "|") + ")$";
  return {pattern, [words](const std::string& text) {
            const bool found = std::find(words.begin(), words.end(), text) != words.end();
            return complain_unless(found, "expected " + join(words, " or ") + ", found " +
                                              in_quotes(text));
          }};
}

} // namespace belay::plan
