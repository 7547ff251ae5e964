// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/ssh_transport.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/ssh/connect_failure.h"

namespace belay::ssh {
namespace {

std::string who_is(const HostAddress& address, const ResolvedHost& host) {
  const auto login = host.user + "@" + host_and_port(host.hostname, host.port);
  return address.name.empty() ? login : address.name + " (" + login + ")";
}

// Private addresses exist once behind each jump host. A ProxyCommand may go by the name (%n).
std::string place_of(const HostAddress& address, const ResolvedHost& host) {
  const auto destination = host_and_port(host.hostname, host.port);
  if (!host.proxy_command.empty())
    return destination + " by " + host.proxy_command + " to " + address.hostname;
  return host.proxy_jump.empty() ? destination : destination + " by " + host.proxy_jump;
}

// A message begins with whom it is about, once.
template <class Failure> void name_host(Failure& error, const std::string& who) {
  if (!error.message().starts_with(who))
    error.add_context(who);
}

} // namespace

SshTransport::SshTransport(ProcessRunner& processes, SshOptions options)
    : shared_(processes, std::move(options)), libssh2_(shared_), openssh_(shared_) {}

std::unique_ptr<Session> SshTransport::connect(const HostAddress& address, Purpose purpose,
                                               const RetrySink& on_retry, const Wait& wait) {
  wait.cancel.throw_if_cancelled();
  ResolvedHost host;
  try {
    host = shared_.config.resolve(address, wait);
  } catch (Error& error) {
    name_host(error, address.name);
    throw;
  }
  const ConnectAttempt attempt{address,
                               host,
                               purpose,
                               wait,
                               who_is(address, host),
                               host_and_port(host.hostname, host.port),
                               place_of(address, host)};
  try {
    return connect_by_choice(attempt, on_retry);
  } catch (const Error& error) {
    // Sliced on purpose: what leaves is a plain Error.
    Error plain(error.kind() == ErrorKind::deadline_exceeded ? ErrorKind::unreachable
                                                             : error.kind(),
                error.message());
    name_host(plain, attempt.who);
    throw plain;
  }
}

std::unique_ptr<Session> SshTransport::connect_by_choice(const ConnectAttempt& attempt,
                                                         const RetrySink& on_retry) {
  const auto choice = attempt.address.transport;
  if (choice == TransportChoice::libssh2)
    return try_libssh2(attempt, on_retry);
  if (choice == TransportChoice::automatic && !moved(attempt.address.name)) {
    try {
      return try_libssh2(attempt, on_retry);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::transport_unsupported || shared_.options.ssh_program.empty())
        throw;
      move(attempt.address.name, error.message());
    }
  }
  return retry(openssh_, attempt, on_retry);
}

std::unique_ptr<Session> SshTransport::try_libssh2(const ConnectAttempt& attempt,
                                                   const RetrySink& on_retry) {
  const auto& unsupported = attempt.host.unsupported;
  if (!unsupported.empty())
    throw Error(ErrorKind::transport_unsupported,
                "ssh_config or sshOpts ask for " + join(unsupported, ", ") +
                    ", which only the ssh program does; drop it for this host or use the openssh "
                    "transport");
  return retry(libssh2_, attempt, on_retry);
}

std::unique_ptr<Session> SshTransport::retry(Connector& connector, const ConnectAttempt& attempt,
                                             const RetrySink& on_retry) {
  const int max = attempt.purpose == Purpose::confirm ? 1 : shared_.options.max_attempts;
  for (int number = 1;; ++number) {
    try {
      return connector.connect_once(attempt);
    } catch (const ConnectFailure& failure) {
      const auto delay = shared_.gate.back_off(number + 1);
      if (!failure.temporary() || number >= max || attempt.wait.left() <= delay)
        throw;
      if (on_retry)
        on_retry({number + 1, max, delay, one_line(failure.message())});
      wait_out(delay, attempt.wait);
    }
  }
}

bool SshTransport::moved(const std::string& node) const {
  const std::lock_guard lock(mutex_);
  return moved_.contains(node);
}

void SshTransport::move(const std::string& node, const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    if (!moved_.insert(node).second)
      return;
  }
  if (shared_.options.on_notice)
    shared_.options.on_notice(
        {Notice::Level::info, node, "goes by the ssh program, not libssh2: " + one_line(why)});
}

} // namespace belay::ssh
