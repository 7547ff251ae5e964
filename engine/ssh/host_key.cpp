// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/host_key.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/ssh/base64.h"

#include <algorithm>

namespace belay::ssh {
namespace {

using Mark = KnownKey::Mark;

struct Algorithm {
  const char* type;    ///< in files
  const char* methods; ///< in a key exchange; never SHA-1
};
constexpr Algorithm algorithms[] = {{"ssh-ed25519", "ssh-ed25519"},
                                    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"},
                                    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"},
                                    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"},
                                    {"ssh-rsa", "rsa-sha2-512,rsa-sha2-256"}};

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorKind::host_key_mismatch, why);
}

std::string shown(const PresentedKey& key) {
  return key.type + " key " + key.fingerprint;
}

bool holds(const std::vector<KnownKey>& keys, const PresentedKey& key, Mark mark) {
  return std::ranges::any_of(
      keys, [&](const KnownKey& known) { return known.mark == mark && known.blob == key.blob; });
}

[[noreturn]] void refuse_changed(const std::vector<KnownKey>& known, const PresentedKey& key) {
  const auto same_type = std::ranges::find_if(known, [&](const KnownKey& entry) {
    return entry.type == key.type && entry.mark == Mark::none;
  });
  if (same_type != known.end())
    refuse("the host presents the " + shown(key) + ", but " + same_type->where +
           " has another one: it was installed anew, or somebody is in between. If the former, "
           "remove that line");
  refuse("the host presents the " + shown(key) + ", but the lines that match it (" +
         known.front().where + ") have no such key. If it is right, add it there");
}

} // namespace

HostKeyVerdict judge_host_key(const HostKeyExpectation& expectation, const PresentedKey& key,
                              StrictHostKeys strict) {
  if (expectation.pinned && expectation.pinned->blob != key.blob)
    refuse("the host presents the " + shown(key) +
           ", which is not the hostKey that the plan pins (" + expectation.pinned->type +
           "). If the host was installed anew, correct hostKey");
  require_same_key(expectation.seen, key);
  if (expectation.pinned)
    return HostKeyVerdict::accepted;
  if (holds(expectation.known, key, Mark::revoked) ||
      holds(expectation.portless, key, Mark::revoked))
    refuse("the host presents the " + shown(key) +
           ", which known_hosts marks as revoked; it must not be used again");
  if (holds(expectation.known, key, Mark::none) ||
      (expectation.known.empty() && holds(expectation.portless, key, Mark::none)))
    return HostKeyVerdict::accepted;
  if (strict == StrictHostKeys::no)
    return HostKeyVerdict::accepted_with_warning;
  if (!expectation.known.empty())
    refuse_changed(expectation.known, key);
  if (strict == StrictHostKeys::accept_new)
    return HostKeyVerdict::add;
  refuse("the host is not known; it presents the " + shown(key) +
         ". If that is right, put it into known_hosts or into the plan as hostKey, or set "
         "StrictHostKeyChecking=accept-new");
}

std::string host_key_methods(const HostKeyExpectation& expectation) {
  const auto is_known = [&](const char* type) {
    if (expectation.pinned)
      return expectation.pinned->type == type;
    if (expectation.seen)
      return expectation.seen->type == type;
    const auto& keys = expectation.known.empty() ? expectation.portless : expectation.known;
    return std::ranges::any_of(
        keys, [&](const KnownKey& k) { return k.mark == Mark::none && k.type == type; });
  };
  std::vector<std::string> first;
  std::vector<std::string> rest;
  for (const auto& algorithm : algorithms)
    (is_known(algorithm.type) ? first : rest).emplace_back(algorithm.methods);
  first.insert(first.end(), rest.begin(), rest.end());
  return join(first, ",");
}

KnownKey parse_pinned_key(const std::string& text) {
  const auto words = split_white_space(text);
  KnownKey key;
  if (words.size() >= 2) {
    key.type = words[0];
    key.blob = base64_decode(words[1]).value_or("");
    key.where = "hostKey in the plan";
  }
  if (key.blob.empty() || type_of_blob(key.blob) != key.type)
    throw Error(ErrorKind::invalid_plan,
                "hostKey '" + text + "' is not of the form 'TYPE BASE64' (as in a .pub file)");
  return key;
}

std::string type_of_blob(std::string_view blob) {
  if (blob.size() < 4)
    return "";
  std::size_t size = 0;
  for (int i = 0; i < 4; ++i)
    size = size << 8 | static_cast<unsigned char>(blob[static_cast<std::size_t>(i)]);
  return std::string(blob.substr(4, size));
}

std::optional<PresentedKey> SeenKeys::get(const std::string& host_and_port) const {
  const std::lock_guard lock(mutex_);
  const auto entry = keys_.find(host_and_port);
  return entry == keys_.end() ? std::nullopt : std::optional(entry->second);
}

void SeenKeys::put(const std::string& host_and_port, const PresentedKey& key) {
  const std::lock_guard lock(mutex_);
  keys_.emplace(host_and_port, key);
}

void require_same_key(const std::optional<PresentedKey>& seen, const PresentedKey& key) {
  if (seen && seen->fingerprint != key.fingerprint)
    refuse("the host presents the " + shown(key) +
           ", but showed another key earlier in this run: it is not the same host any more");
}

} // namespace belay::ssh
