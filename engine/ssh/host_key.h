// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/ssh/known_hosts.h"

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Is the host who we think it is? First asked before the handshake (which keys of it do we know, so
// that the server is asked for one of those types), then answered with the key that it presented: a
// pinned key beats everything; of the others a revoked one never passes; a key that differs from
// the one shown earlier in this run never passes either, whatever the configuration says; then
// known_hosts decides as StrictHostKeyChecking wants it.

namespace belay::ssh {

/// What the server presented.
struct PresentedKey {
  std::string type;
  std::string blob;        ///< empty where only the ssh program has seen it
  std::string fingerprint; ///< "SHA256:…"
};

/// What is known of a host before it is asked.
struct HostKeyExpectation {
  std::vector<KnownKey> known;    ///< under its name and port
  std::vector<KnownKey> portless; ///< under its name alone: accepted, never a contradiction
  std::optional<KnownKey> pinned;
  std::optional<PresentedKey> seen; ///< earlier in this run
};

enum class HostKeyVerdict { accepted, add, accepted_with_warning };

/// Pure. Throws Error{host_key_mismatch} with the reason and what to do, without the host's name.
HostKeyVerdict judge_host_key(const HostKeyExpectation& expectation, const PresentedKey& key,
                              StrictHostKeys strict);

/// LIBSSH2_METHOD_HOSTKEY: types that are known first, then the others, so that a host with several
/// keys shows one that can be compared.
std::string host_key_methods(const HostKeyExpectation& expectation);

/// "TYPE BASE64 [COMMENT]"; throws Error{invalid_plan}.
KnownKey parse_pinned_key(const std::string& text);

/// The first string of an SSH key blob: its type.
std::string type_of_blob(std::string_view blob);

/// The keys that this run has met, the first of each host. Any thread.
class SeenKeys {
public:
  std::optional<PresentedKey> get(const std::string& host_and_port) const;
  void put(const std::string& host_and_port, const PresentedKey& key);

private:
  mutable std::mutex mutex_;
  std::map<std::string, PresentedKey> keys_;
};

/// "…, but showed another key earlier in this run…": throws Error{host_key_mismatch} where `seen`
/// is another key than `key`.
void require_same_key(const std::optional<PresentedKey>& seen, const PresentedKey& key);

} // namespace belay::ssh
