// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/ssh/connection.h"
#include "engine/ssh/remote_command.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The steps of a command over libssh2: one channel of a Connection that it shares with others.

namespace belay::ssh {

class Libssh2Command final : public RemoteCommand {
public:
  /// Throws as RemoteLink::start does.
  Libssh2Command(std::shared_ptr<Connection> connection, const std::string& command,
                 const Wait& wait);
  Libssh2Command(const Libssh2Command&) = delete;
  Libssh2Command& operator=(const Libssh2Command&) = delete;
  ~Libssh2Command() override;

  std::optional<std::size_t> try_read(char* buffer, std::size_t size) override;
  std::size_t try_write(std::string_view text) override;
  bool try_send_eof() override;
  bool try_closed() override;

  void await(const Interest& interest, const Wait& wait, const char* what) override {
    connection_->await(seen(interest), wait, what);
  }
  bool unseen(const Interest& interest) const override {
    return seen(interest) != connection_->intake();
  }
  /// None: all commands are served by the connection's socket.
  void add_polls(const Interest&, std::vector<pollfd>&) const override {}

  const std::string& stderr_tail() const override { return stderr_.text(); }
  std::uint64_t stderr_bytes() const override { return stderr_.bytes(); }
  ChannelEnd end() const override;

private:
  std::uint64_t seen(const Interest& interest) const;
  ssize_t read_stream(int stream, std::string& to);
  void collect_stderr();
  [[noreturn]] void fail(const char* what) const;

  std::shared_ptr<Connection> connection_;
  LIBSSH2_CHANNEL* channel_ = nullptr;
  std::string stdout_; ///< read, but not asked for yet
  std::size_t stdout_taken_ = 0;
  StderrTail stderr_;
  // Connection::intake() before this command was last looked at, for output and for room.
  std::uint64_t read_seen_ = 0, write_seen_ = 0;
  bool closed_ = false;
};

/// A logged-in Connection as a RemoteLink.
class Libssh2Link final : public RemoteLink {
public:
  explicit Libssh2Link(std::shared_ptr<Connection> connection)
      : connection_(std::move(connection)) {}

  std::unique_ptr<RemoteCommand> start(const std::string& command, const Wait& wait) override {
    return std::make_unique<Libssh2Command>(connection_, command, wait);
  }
  bool lost() const override { return connection_->lost(); }
  const std::string& loss() const override { return connection_->loss(); }
  void throw_if_lost() const override { connection_->throw_if_lost(); }
  void add_polls(bool reads, std::vector<pollfd>& fds) const override {
    fds.push_back({connection_->fd(), connection_->poll_events(reads), 0});
  }
  Instant next_beat() const override { return connection_->next_beat(); }
  void polled(bool reads) override;

private:
  std::shared_ptr<Connection> connection_;
};

} // namespace belay::ssh
