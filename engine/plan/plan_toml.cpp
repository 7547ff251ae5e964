// SPDX-License-Identifier: Apache-2.0
#include "engine/base/text.h"
#include "engine/plan/plan.h"

#include <algorithm>
#include <array>
#include <cstdio>

// TOML 1.0: a key is bare where it is of letters, digits, _ and -; all other text is a basic
// string, in which control characters are escaped, so that no name can make a line of its own.

namespace belay::plan {
namespace {

std::string escape(unsigned char c) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "\\u%04X", static_cast<unsigned>(c));
  return text.data();
}

std::string toml_text(std::string_view value) {
  std::string text = "\"";
  for (const char c : valid_utf8(value)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      text += escape(byte);
    } else {
      text += c;
    }
  }
  return text + '"';
}

std::string key(const std::string& name) {
  const bool bare = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  return bare ? name : toml_text(name);
}

std::string list(const std::vector<std::string>& values) {
  std::string text = "[";
  for (const std::string& value : values) {
    text += (text.size() == 1 ? "" : ", ") + toml_text(value);
  }
  return text + "]";
}

std::string table(const Node& node, const Profile& profile) {
  return "[" + key(node.name) + "." + key(profile.name) + "]\nuser = " + toml_text(profile.user) +
         "\nssh_user = " + toml_text(profile.login.user) +
         "\npath = " + toml_text(profile.path.string()) +
         "\nhostname = " + toml_text(node.hostname) +
         "\nssh_opts = " + list(profile.login.options) + "\n";
}

} // namespace

std::string plan_to_toml(const Plan& plan) {
  std::string text;
  for (const Node& node : plan.nodes) {
    for (const Profile& profile : node.profiles) {
      if (!node.skip) {
        text += (text.empty() ? "" : "\n") + table(node, profile);
      }
    }
  }
  return text;
}

} // namespace belay::plan
