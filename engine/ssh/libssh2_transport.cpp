// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/libssh2_transport.h"

#include "engine/base/text.h"
#include "engine/ssh/authentication.h"
#include "engine/ssh/base64.h"
#include "engine/ssh/connect_failure.h"
#include "engine/ssh/key_exchange.h"
#include "engine/ssh/libssh2_command.h"
#include "engine/ssh/link_session.h"
#include "engine/ssh/target.h"
#include "engine/ssh/tcp_connect.h"

#include <algorithm>

namespace belay::ssh {
namespace {

using Nature = ConnectFailure::Nature;

// Fastest first where the processor has AES; chacha20 is libssh2's own, in plain C.
constexpr const char* ciphers = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,"
                                "aes192-ctr,aes256-ctr,chacha20-poly1305@openssh.com";

std::string who_is(const HostAddress& address, const ResolvedHost& host) {
  const auto login = host.user + "@" + host_and_port(host.hostname, host.port);
  return address.name.empty() ? login : address.name + " (" + login + ")";
}

PresentedKey presented_key(LIBSSH2_SESSION* session) {
  PresentedKey key;
  std::size_t size = 0;
  int kind = 0;
  if (const char* blob = libssh2_session_hostkey(session, &size, &kind))
    key.blob.assign(blob, size);
  key.type = type_of_blob(key.blob);
  key.fingerprint = "SHA256:?";
  if (const char* hash = libssh2_hostkey_hash(session, LIBSSH2_HOSTKEY_HASH_SHA256)) {
    auto text = base64_encode(std::string_view(hash, 32));
    key.fingerprint = "SHA256:" + text.substr(0, text.find('='));
  }
  return key;
}

// A message begins with whom it is about, once.
template <class Failure> void name_host(Failure& error, const std::string& who) {
  if (!error.message().starts_with(who))
    error.add_context(who);
}

} // namespace

struct Libssh2Transport::Attempt {
  const HostAddress& address;
  const ResolvedHost& host;
  Purpose purpose;
  const Wait& wait;
  std::string who;
  std::string destination; ///< "host:port"
};

Libssh2Transport::Libssh2Transport(ProcessRunner& processes, Libssh2Options options)
    : options_(std::move(options)), config_(processes, options_.ssh_program),
      known_hosts_(processes, options_.keygen_program),
      gate_(options_.handshakes_per_host, options_.jitter_seed) {}

void Libssh2Transport::warn(const std::string& node, const std::string& message) const {
  if (options_.on_warning)
    options_.on_warning(node, message);
}

std::unique_ptr<Session> Libssh2Transport::connect(const HostAddress& address, Purpose purpose,
                                                   const RetrySink& on_retry, const Wait& wait) {
  wait.cancel.throw_if_cancelled();
  ResolvedHost host;
  try {
    host = config_.resolve(address, wait);
  } catch (Error& error) {
    name_host(error, address.name);
    throw;
  }
  const Attempt attempt{
      address, host, purpose, wait, who_is(address, host), host_and_port(host.hostname, host.port)};
  if (!host.unsupported.empty())
    throw Error(ErrorKind::transport_unsupported,
                attempt.who + ": ssh_config or sshOpts ask for " + join(host.unsupported, ", ") +
                    ", which only the ssh program does; drop it for this host or use the openssh "
                    "transport");
  try {
    return connect_resolved(attempt, on_retry);
  } catch (const Error& error) {
    // Sliced on purpose: what leaves is a plain Error.
    Error plain(error.kind() == ErrorKind::deadline_exceeded ? ErrorKind::unreachable
                                                             : error.kind(),
                error.message());
    name_host(plain, attempt.who);
    throw plain;
  }
}

std::unique_ptr<Session> Libssh2Transport::connect_resolved(const Attempt& attempt,
                                                            const RetrySink& on_retry) {
  const int max = attempt.purpose == Purpose::confirm ? 1 : options_.max_attempts;
  for (int number = 1;; ++number) {
    try {
      return connect_once(attempt);
    } catch (const ConnectFailure& failure) {
      const auto delay = gate_.back_off(number + 1);
      if (!failure.temporary() || number >= max || attempt.wait.left() <= delay)
        throw;
      if (on_retry)
        on_retry({number + 1, max, delay, one_line(failure.message())});
      wait_out(delay, attempt.wait);
    }
  }
}

Duration Libssh2Transport::handshake_limit(const Attempt& attempt) const {
  if (attempt.purpose == Purpose::confirm) // transaction.md's figures
    return std::min<Duration>(std::chrono::seconds(5), attempt.wait.left() / 3);
  return attempt.host.connect_timeout.value_or(options_.connect_timeout);
}

std::unique_ptr<Session> Libssh2Transport::connect_once(const Attempt& attempt) {
  const auto expectation = expect(attempt);
  const auto place = attempt.purpose == Purpose::confirm
                         ? HandshakeGate::Place()
                         : gate_.enter(attempt.destination, attempt.wait);
  const Wait handshake = attempt.wait.within(handshake_limit(attempt));
  auto keep_alive = options_.keep_alive;
  if (attempt.host.alive_interval > Duration::zero())
    keep_alive = {attempt.host.alive_interval, std::max(attempt.host.alive_count, 1)};
  auto socket = tcp_connect({attempt.host.hostname, attempt.host.port, attempt.host.address_family},
                            handshake);
  auto connection = std::make_shared<Connection>(std::move(socket), attempt.who, keep_alive);
  try {
    shake_hands(*connection, expectation, handshake);
    check_host_key(*connection, expectation, attempt);
    authenticate(*connection, attempt.host, attempt.wait.within(options_.login_timeout));
  } catch (const Error& error) {
    if (connection->lost() && error.kind() == ErrorKind::unreachable)
      throw ConnectFailure(error.kind(),
                           attempt.who + ": sshd hung up during the login (" + connection->loss() +
                               "); is it overloaded (MaxStartups), or banning us?",
                           Nature::temporary);
    throw;
  }
  connection->start_keep_alive();
  return std::make_unique<LinkSession>(std::make_shared<Libssh2Link>(std::move(connection)),
                                       "direct");
}

HostKeyExpectation Libssh2Transport::expect(const Attempt& attempt) {
  HostKeyExpectation expectation;
  expectation.seen = seen_.get(attempt.destination);
  if (attempt.address.host_key) {
    expectation.pinned = parse_pinned_key(*attempt.address.host_key);
    return expectation;
  }
  const auto name = known_hosts_name(attempt.host);
  expectation.known = known_hosts_.find(attempt.host, name, attempt.wait);
  if (expectation.known.empty() && name != attempt.host.hostname &&
      attempt.host.host_key_alias.empty())
    expectation.portless = known_hosts_.find(attempt.host, attempt.host.hostname, attempt.wait);
  for (const auto& key : expectation.known)
    if (key.mark == KnownKey::Mark::authority)
      throw Error(ErrorKind::transport_unsupported,
                  key.where + " trusts this host by a certificate authority (@cert-authority), "
                              "which only the ssh program does; pin hostKey in the plan, or use "
                              "the openssh transport");
  return expectation;
}

void Libssh2Transport::shake_hands(Connection& connection, const HostKeyExpectation& expectation,
                                   const Wait& wait) {
  auto* session = connection.raw();
  const auto methods = host_key_methods(expectation);
  libssh2_session_method_pref(session, LIBSSH2_METHOD_HOSTKEY, methods.c_str());
  libssh2_session_method_pref(session, LIBSSH2_METHOD_CRYPT_CS, ciphers);
  libssh2_session_method_pref(session, LIBSSH2_METHOD_CRYPT_SC, ciphers);
  const int code = connection.call(
      [&] { return libssh2_session_handshake(session, connection.fd()); }, wait, "exchanging keys");
  if (code == 0)
    return;
  const auto missing = missing_method(session, connection.greeting(), methods);
  throw Error(
      ErrorKind::transport_unsupported,
      "the key exchange failed: " + (missing.empty() ? connection.last_message() : missing) +
          "; use the openssh transport, or allow a common method in the sshd_config there");
}

void Libssh2Transport::check_host_key(Connection& connection, const HostKeyExpectation& expectation,
                                      const Attempt& attempt) {
  const auto key = presented_key(connection.raw());
  auto known = expectation;
  known.seen = seen_.get(attempt.destination); // another login may have been quicker
  const auto verdict = judge_host_key(known, key, attempt.host.strict_host_keys);
  if (verdict == HostKeyVerdict::accepted_with_warning)
    warn(attempt.address.name, attempt.who + ": the host key " + key.fingerprint +
                                   " was not checked (StrictHostKeyChecking=no)");
  if (verdict == HostKeyVerdict::add) {
    const std::lock_guard lock(adding_);
    if (!seen_.get(attempt.destination)) {
      const auto file =
          known_hosts_.add(attempt.host, known_hosts_name(attempt.host),
                           {KnownKey::Mark::none, key.type, key.blob, ""}, attempt.wait);
      warn(attempt.address.name, attempt.who + ": new host key " + key.fingerprint +
                                     (file.empty() ? " accepted" : " added to " + file));
    }
    seen_.put(attempt.destination, key);
  }
  seen_.put(attempt.destination, key);
}

} // namespace belay::ssh
