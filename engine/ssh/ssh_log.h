// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/ssh/connect_failure.h"
#include "engine/ssh/host_key.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What the ssh program says about a login (with -v), and the one place where that becomes an Error:
// whom it is about, which kind, whether another attempt is worth making, and what to do. ssh's
// words are its own and change between releases; what is not known here is passed on as it is.

namespace belay::ssh {

struct SshLog {
  std::vector<std::string> messages; ///< what it says also without -v, a line each
  std::string host_key_type;         ///< empty = it came to no key exchange
  std::string host_key_fingerprint;  ///< "SHA256:…"
  std::vector<std::string> tried;    ///< keys offered to the server
  std::string methods;               ///< "publickey,password": what the server takes
  bool authenticated = false;

  bool says(std::string_view part) const;
  /// The first message with `part` in it; empty where there is none.
  std::string message_with(std::string_view part) const;
};

/// Pure.
SshLog parse_ssh_log(std::string_view text);

/// The log in a file, its last 256 KiB; an empty one where there is none. Never throws.
SshLog read_ssh_log(const std::filesystem::path& file);

/// The last message in a log file: why ssh ended.
std::string last_words(const std::filesystem::path& file);

/// Which key a login was to be judged by.
enum class TrustedKey {
  configured, ///< known_hosts decided
  pinned,     ///< hostKey of the plan
  seen,       ///< the one that this run met before
};

/// What is known of a login beside its log.
struct LoginFacts {
  std::string user;
  TrustedKey trusted = TrustedKey::configured;
  std::vector<std::string> unusable{}; ///< identities, with the reason
};

/// Why a login failed, as far as its log tells: kind, nature, and a message without the host's
/// name. nullopt: nothing in it is known as a reason. Pure.
std::optional<ConnectFailure> explain_login(const SshLog& log, const LoginFacts& facts);

} // namespace belay::ssh
