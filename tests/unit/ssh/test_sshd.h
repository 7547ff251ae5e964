// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/file.h"
#include "engine/base/process.h"
#include "engine/ssh/ssh_transport.h"

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <sys/types.h>
#include <thread>
#include <vector>

// A real sshd on 127.0.0.1 that belongs to one test: its own configuration, host keys, authorised
// keys and a free port. It is stopped, with the sessions that it started, at the end of its life.

namespace belay::ssh::test {

/// Runs a program that must succeed; its stdout.
std::string must_run(const std::vector<std::string>& argv);

class TestSshd {
public:
  struct Options {
    std::vector<std::string> host_key_types = {"ed25519"};
    std::vector<std::string> lines = {}; ///< added to sshd_config
    std::string address = "127.0.0.1";   ///< or "::1"
  };
  TestSshd() : TestSshd(Options{}) {}
  explicit TestSshd(Options options);
  ~TestSshd();

  const std::filesystem::path& directory() const { return directory_.path(); }
  std::uint16_t port() const { return port_; }
  std::string user_key() const { return directory().string() + "/user"; }
  /// "TYPE BASE64" of a host key.
  std::string host_key(const std::string& type = "ed25519") const;
  void authorise(const std::string& public_key_file);

  /// An address with the user's key and nothing of this machine's configuration; the host key is
  /// pinned.
  HostAddress address() const;

  /// Waits until sshd's log holds `text` behind its first `from` bytes.
  bool wait_for_log(const std::string& text, Duration limit = std::chrono::seconds(20),
                    std::size_t from = 0);
  std::string log() const;

  void kill_sessions();
  /// They answer nothing any more.
  void freeze_sessions();
  /// No further connection; those that are there stay.
  void stop_listening();
  /// Starts anew on the same port, with other host keys.
  void change_host_keys();
  void stop();

private:
  void make_key(const std::string& name, const std::string& type);
  void write_configuration();
  void make_host_keys();
  void start();
  void read_log();

  Options options_;
  std::string user_;
  TemporaryDirectory directory_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
  std::vector<pid_t> orphans_; ///< sessions whose listener is gone
  UniqueFd log_end_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string log_;
  bool log_ended_ = false;
  std::thread reader_;
};

/// A transport with the real ssh and ssh-keygen, and options of the test's choice. Connects in the
/// way that is given, whatever the address says.
struct TestTransport {
  explicit TestTransport(TransportChoice way = TransportChoice::libssh2)
      : TestTransport(SshOptions{}, way) {}
  explicit TestTransport(SshOptions options, TransportChoice way = TransportChoice::libssh2)
      : choice(way), transport(processes, std::move(options)) {}
  std::unique_ptr<Session> connect(HostAddress address, Purpose purpose = Purpose::work,
                                   const RetrySink& on_retry = {}, const Wait& wait = limit()) {
    address.transport = choice;
    return transport.connect(address, purpose, on_retry, wait);
  }
  static Wait limit() { return Wait::at_most(std::chrono::seconds(30)); }

  TransportChoice choice;
  PosixProcessRunner processes;
  SshTransport transport;
};

/// Whether some process has `part` in its command line.
bool process_with(const std::string& part);

/// Waits until there is none.
bool wait_until_no_process_with(const std::string& part, Duration limit = std::chrono::seconds(20));

/// Everything that a command writes to stdout.
std::string read_to_end(Channel& channel);

inline bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The Error of a call that must throw one.
template <class Call> Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorKind::internal, "nothing was thrown");
}

/// Listens on a free port of 127.0.0.1.
std::pair<UniqueFd, std::uint16_t> listen_anywhere();

} // namespace belay::ssh::test
