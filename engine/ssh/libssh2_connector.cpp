// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/libssh2_connector.h"

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

} // namespace

std::unique_ptr<Session> Libssh2Connector::connect_once(const ConnectAttempt& attempt) {
  const auto expectation = expect(attempt);
  const auto place = attempt.purpose == Purpose::confirm
                         ? HandshakeGate::Place()
                         : shared_.gate.enter(attempt.destination, attempt.wait);
  const Wait handshake =
      attempt.wait.within(attempt.handshake_limit(shared_.options.connect_timeout));
  auto keep_alive = shared_.options.keep_alive;
  if (attempt.host.alive_interval > Duration::zero())
    keep_alive = {attempt.host.alive_interval, std::max(attempt.host.alive_count, 1)};
  auto socket = tcp_connect({attempt.host.hostname, attempt.host.port, attempt.host.address_family},
                            handshake);
  auto connection = std::make_shared<Connection>(std::move(socket), attempt.who, keep_alive);
  try {
    shake_hands(*connection, expectation, handshake);
    check_host_key(*connection, expectation, attempt);
    authenticate(*connection, attempt.host, attempt.wait.within(shared_.options.login_timeout));
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

HostKeyExpectation Libssh2Connector::expect(const ConnectAttempt& attempt) {
  auto expectation = shared_.host_keys.expect(attempt);
  for (const auto& key : expectation.known)
    if (key.mark == KnownKey::Mark::authority)
      throw Error(ErrorKind::transport_unsupported,
                  key.where + " trusts this host by a certificate authority (@cert-authority), "
                              "which only the ssh program does; pin hostKey in the plan, or use "
                              "the openssh transport");
  return expectation;
}

void Libssh2Connector::shake_hands(Connection& connection, const HostKeyExpectation& expectation,
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

void Libssh2Connector::check_host_key(Connection& connection, HostKeyExpectation expectation,
                                      const ConnectAttempt& attempt) {
  const auto key = presented_key(connection.raw());
  expectation.seen = shared_.host_keys.seen(attempt.place); // another may have been quicker
  const auto verdict = judge_host_key(expectation, key, attempt.host.strict_host_keys);
  shared_.host_keys.accepted(attempt, key, verdict);
}

} // namespace belay::ssh
