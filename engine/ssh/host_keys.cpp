// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/host_keys.h"

#include "engine/ssh/connector.h"

namespace belay::ssh {

void HostKeys::warn(const ConnectAttempt& attempt, const std::string& message) const {
  if (on_notice_)
    on_notice_({Notice::Level::warning, attempt.address.name, attempt.who + ": " + message});
}

HostKeyExpectation HostKeys::expect(const ConnectAttempt& attempt) {
  HostKeyExpectation expectation;
  expectation.seen = seen_.get(attempt.place);
  if (attempt.address.host_key) {
    expectation.pinned = parse_pinned_key(*attempt.address.host_key);
    return expectation;
  }
  const auto& host = attempt.host;
  const auto name = known_hosts_name(host);
  expectation.known = known_hosts_.find(host, name, attempt.wait);
  if (expectation.known.empty() && name != host.hostname && host.host_key_alias.empty())
    expectation.portless = known_hosts_.find(host, host.hostname, attempt.wait);
  return expectation;
}

void HostKeys::tell_added(const ConnectAttempt& attempt, const PresentedKey& key,
                          const std::string& file) const {
  warn(attempt,
       "new host key " + key.fingerprint + (file.empty() ? " accepted" : " added to " + file));
}

void HostKeys::add(const ConnectAttempt& attempt, const PresentedKey& key) {
  const std::lock_guard lock(adding_);
  if (seen_.get(attempt.place))
    return; // another login was quicker
  const auto file = known_hosts_.add(attempt.host, known_hosts_name(attempt.host),
                                     {KnownKey::Mark::none, key.type, key.blob, ""}, attempt.wait);
  tell_added(attempt, key, file);
  seen_.put(attempt.place, key);
}

void HostKeys::accepted(const ConnectAttempt& attempt, const PresentedKey& key,
                        HostKeyVerdict verdict) {
  if (verdict == HostKeyVerdict::accepted_with_warning)
    warn(attempt,
         "the host key " + key.fingerprint + " was not checked (StrictHostKeyChecking=no)");
  if (verdict == HostKeyVerdict::add)
    add(attempt, key);
  seen_.put(attempt.place, key);
}

} // namespace belay::ssh
