// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/cancel.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The way to a target. A Transport makes Sessions (one TCP connection, logged in); a Session runs
// commands, each on a Channel, and can tunnel the target's Nix store to a local socket. There is
// one Session to work over for a node's whole deploy and a fresh one to confirm over. Every call
// has a deadline and can be cancelled. A Session and its Channels belong to one thread at a time.

namespace belay::ssh {

/// By what means a connection is made.
enum class TransportChoice {
  automatic, ///< libssh2 where it can, else openssh
  libssh2,   ///< in this process
  openssh,   ///< the ssh program
};

/// Where to connect, as the plan says it; ssh_config has not been asked yet.
struct HostAddress {
  std::string name;     ///< the node, for messages
  std::string hostname; ///< alias, name, host:port, [IPv6]:port, IPv6 literal
  std::string user;     ///< empty = ssh_config's or the local user
  std::vector<std::string> ssh_opts;
  std::optional<std::string> host_key; ///< pinned "TYPE BASE64"; beats every other source
  TransportChoice transport = TransportChoice::automatic;
};

/// How a command ended, as the SSH server told it.
struct ChannelEnd {
  /// The ssh program does not say which signal it was.
  static constexpr const char* unknown_signal = "?";

  std::optional<int> exit_status;
  std::string exit_signal; ///< "KILL", unknown_signal; empty = none. libssh2 says status 0 for a
                           ///< killed process: look here too
  std::string stderr_tail; ///< the last 4 KiB
  bool clean = false;      ///< the channel was closed by the server, not by a lost connection

  bool succeeded() const { return clean && exit_signal.empty() && exit_status == 0; }
  std::string describe() const; ///< "exited with 127: sh: nix-daemon: not found"
};

/// One running remote command.
class Channel {
public:
  virtual ~Channel() = default;
  /// Up to `size` bytes of stdout; 0 at the end of it. Waits for the first byte; stderr is
  /// collected meanwhile. Throws Error{deadline_exceeded | cancelled | unreachable (connection
  /// lost)}.
  std::size_t read(char* buffer, std::size_t size, const Wait& wait);
  /// As read, but also ends, with nullopt, when more than `stderr_seen` bytes of stderr have come
  /// and stdout has nothing: for whoever waits for what a program says there.
  virtual std::optional<std::size_t>
  read_or_stderr(char* buffer, std::size_t size, std::uint64_t stderr_seen, const Wait& wait) = 0;
  /// All of `text` to stdin. Throws as read does.
  virtual void write(std::string_view text, const Wait& wait) = 0;
  virtual void send_eof(const Wait& wait) = 0;
  /// The last bytes of stderr so far (at most 4 KiB).
  virtual std::string stderr_tail() const = 0;
  /// How many bytes of stderr have come so far, those that the tail has lost included.
  virtual std::uint64_t stderr_bytes() const = 0;
  /// Closes and waits for the command's end. A lost connection is a value here (clean = false).
  virtual ChannelEnd close(const Wait& wait) = 0;
};

/// A local unix socket each of whose connections becomes a channel running `nix-daemon --stdio` on
/// the target. Pumps in a thread of its own: while it lives, the session belongs to it.
class StoreTunnel {
public:
  virtual ~StoreTunnel() = default;
  virtual std::string store_uri() const = 0;    ///< "unix:///tmp/b.XXXXXX/s"
  virtual std::uint64_t bytes_sent() const = 0; ///< so far, towards the target; any thread
  /// Stops pumping, gives the session back, says how the last channel ended (nullopt: nobody
  /// connected).
  virtual std::optional<ChannelEnd> finish(const Wait& wait) = 0;
};

/// How the target's store is served there.
struct StoreService {
  std::string command; ///< empty = `nix-daemon --stdio`, as the login
  /// Called with each channel before the store's protocol begins on it, by the tunnel's thread;
  /// what it throws closes the door to that connection. It must not read beyond what comes before.
  std::function<void(Channel& channel, const Wait& wait)> begin;
};

class Session {
public:
  virtual ~Session() = default;
  /// Starts `command` (given to the user's login shell by sshd: quote it).
  virtual std::unique_ptr<Channel> exec(const std::string& command, const Wait& wait) = 0;
  virtual std::unique_ptr<StoreTunnel> open_store_tunnel(const StoreService& service,
                                                         const Wait& wait) = 0;
  /// How this connection was made, for the event's `confirm_path`: "direct", "proxy-jump",
  /// "proxy-command" (one that the user wrote: what lies behind it is not known).
  virtual std::string path() const = 0;
};

/// What a connection is for: confirm has a lane of its own, never delayed by the stagger of the
/// others.
enum class Purpose { work, confirm };

/// Told before each wait for another attempt.
struct RetryNotice {
  int attempt = 0;
  int max = 0;
  Duration delay{};
  std::string reason; ///< one line
};
using RetrySink = std::function<void(const RetryNotice&)>;

class Transport {
public:
  virtual ~Transport() = default;
  /// Connects and logs in; retries what a crowded sshd does (refused, reset, kex errors) with
  /// back-off until the deadline or the attempts are used up. Any thread, many at once. Throws
  /// Error{unreachable | host_key_mismatch | authentication_failed | transport_unsupported |
  /// cancelled}; each message names host, port, user and what to do.
  virtual std::unique_ptr<Session> connect(const HostAddress& address, Purpose purpose,
                                           const RetrySink& on_retry, const Wait& wait) = 0;
};

} // namespace belay::ssh
