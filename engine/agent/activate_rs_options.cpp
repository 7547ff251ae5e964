// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/activate_rs_options.h"

#include "engine/base/error.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <map>
#include <set>
#include <string_view>

namespace belay::agent {

namespace {

using Words = std::set<std::string_view>;

/// What stands before the verb, or after it: deploy-rs takes them before.
const Words values_of_all{"--log-dir"};
const Words flags_of_all{"-d", "--debug-logs"};
const Words profile_values{"--profile-path", "--profile-user", "--profile-name"};
const Words activate_values{"--temp-path", "--confirm-timeout"};
const Words activate_flags{"--magic-rollback", "--auto-rollback", "--dry-activate", "--boot"};
const Words wait_values{"--temp-path", "--activation-timeout"};

[[noreturn]] void wrong(const std::string& what) {
  throw Error(ErrorKind::usage, what + "; this is deploy-rs's activate-rs as belay-agent has it: "
                                       "activate, wait or revoke");
}

Words both(Words a, const Words& b) {
  a.insert(b.begin(), b.end());
  return a;
}

/// One command line, taken apart and not yet understood.
struct Parts {
  std::vector<std::string> plain;
  std::map<std::string, std::string, std::less<>> values;
  std::set<std::string, std::less<>> flags;

  const std::string& value(std::string_view name) const {
    const auto found = values.find(name);
    if (found == values.end()) {
      wrong(std::string(name) + " is missing");
    }
    return found->second;
  }
  bool has(std::string_view name) const { return flags.contains(name); }
};

Parts take_apart(const std::vector<std::string>& words) {
  const auto values = both(both(both(values_of_all, profile_values), activate_values), wait_values);
  const auto flags = both(flags_of_all, activate_flags);
  Parts parts;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto equals = words[i].find('=');
    const auto name = words[i].substr(0, equals);
    if (!words[i].starts_with('-')) {
      parts.plain.push_back(words[i]);
    } else if (flags.contains(words[i])) {
      parts.flags.insert(words[i]);
    } else if (values.contains(name) && equals != std::string::npos) {
      parts.values[name] = words[i].substr(equals + 1);
    } else if (values.contains(name) && i + 1 < words.size()) {
      parts.values[name] = words[++i];
    } else {
      wrong("unknown or incomplete option " + words[i]);
    }
  }
  return parts;
}

/// What one verb does not know is an error, as it is to deploy-rs.
void allow(const Parts& parts, std::size_t plain, const Words& values, const Words& flags) {
  if (parts.plain.size() != plain + 1) {
    wrong(parts.plain.size() <= plain ? "a closure is missing" : "too many arguments");
  }
  for (const auto& [name, value] : parts.values) {
    if (!values_of_all.contains(name) && !values.contains(name)) {
      wrong(name + " is not for " + parts.plain.front());
    }
  }
  for (const auto& name : parts.flags) {
    if (!flags_of_all.contains(name) && !flags.contains(name)) {
      wrong(name + " is not for " + parts.plain.front());
    }
  }
}

StorePath closure_of(const Parts& parts) {
  const auto path = StorePath::parse(parts.plain.at(1));
  if (!path) {
    wrong("\"" + parts.plain[1] + "\" is not a store path");
  }
  return *path;
}

std::chrono::seconds seconds_of(const Parts& parts, std::string_view name) {
  const auto& text = parts.value(name);
  std::uint16_t count = 0; // deploy-rs's range
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (problem != std::errc() || end != text.data() + text.size()) {
    wrong(std::string(name) + ": \"" + text + "\" is no number of seconds up to 65535");
  }
  return std::chrono::seconds(count);
}

std::filesystem::path folder_of(const Parts& parts) {
  const std::filesystem::path path(parts.value("--temp-path"));
  if (!path.is_absolute()) {
    wrong("--temp-path is not absolute");
  }
  return path;
}

/// A user's or a profile's name becomes part of a path.
bool is_name(const std::string& text) {
  return !text.empty() && text != "." && text != ".." &&
         text.find_first_of(std::string("/\0", 2)) == std::string::npos;
}

ActivateRsProfile profile_of(const Parts& parts) {
  const bool path = parts.values.contains("--profile-path");
  const bool user = parts.values.contains("--profile-user");
  if (path == user || user != parts.values.contains("--profile-name")) {
    wrong("a profile is either --profile-path, or --profile-user and --profile-name");
  }
  if (path) {
    if (!std::filesystem::path(parts.value("--profile-path")).is_absolute()) {
      wrong("--profile-path is not absolute");
    }
    return {.path = parts.value("--profile-path"), .user = {}, .name = {}};
  }
  ActivateRsProfile profile{.path = std::nullopt,
                            .user = parts.value("--profile-user"),
                            .name = parts.value("--profile-name")};
  if (!is_name(profile.user) || !is_name(profile.name)) {
    wrong("that is no name of a user and a profile");
  }
  return profile;
}

} // namespace

ActivateRsCommand parse_activate_rs(const std::vector<std::string>& words) {
  const auto parts = take_apart(words);
  const auto verb = parts.plain.empty() ? "" : parts.plain.front();
  if (verb == "activate") {
    allow(parts, 1, both(profile_values, activate_values), activate_flags);
    return ActivateRsActivate{.closure = closure_of(parts),
                              .profile = profile_of(parts),
                              .temp_path = folder_of(parts),
                              .confirm_timeout = seconds_of(parts, "--confirm-timeout"),
                              .magic_rollback = parts.has("--magic-rollback"),
                              .auto_rollback = parts.has("--auto-rollback"),
                              .dry_activate = parts.has("--dry-activate"),
                              .boot = parts.has("--boot")};
  }
  if (verb == "wait") {
    allow(parts, 1, wait_values, {});
    ActivateRsWait wait{.closure = closure_of(parts), .temp_path = folder_of(parts)};
    if (parts.values.contains("--activation-timeout")) {
      wait.activation_timeout = seconds_of(parts, "--activation-timeout");
    }
    return wait;
  }
  if (verb == "revoke") {
    allow(parts, 0, profile_values, {});
    return ActivateRsRevoke{profile_of(parts)};
  }
  wrong(verb.empty() ? "a verb is missing" : "unknown verb " + verb);
}

} // namespace belay::agent
