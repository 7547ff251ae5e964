// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/ssh/mux_socket.h"
#include "engine/ssh/remote_command.h"

#include <memory>
#include <string>
#include <sys/types.h>

// A connection that the ssh program keeps for one session of ours: a control master in the
// background whose socket, log and scripts lie in a private folder. We hold one connection to the
// socket, the leash. While it is held the master stays; it ends when we ask it to, and within
// seconds when we die without asking (it runs with ControlPersist). Its end, seen at the leash, is
// the loss of the connection, and an answer at the leash is the proof that it is not lost.

namespace belay::ssh {

class ControlMaster final : public RemoteLink, public std::enable_shared_from_this<ControlMaster> {
public:
  /// How long a master without any client waits for one, in seconds.
  static constexpr int persist_seconds = 10;

  /// Takes the leash of the master that listens at `socket_name` in `folder`, and the folder. `who`
  /// starts every message. Throws as MuxSocket does.
  ControlMaster(std::unique_ptr<TemporaryDirectory> folder, std::string who, const Wait& wait);
  ControlMaster(const ControlMaster&) = delete;
  ControlMaster& operator=(const ControlMaster&) = delete;
  ~ControlMaster() override;

  static std::string socket_in(const std::filesystem::path& folder);
  static std::string log_in(const std::filesystem::path& folder);

  std::unique_ptr<RemoteCommand> start(const std::string& command, const Wait& wait) override;
  bool lost() const override { return !loss_.empty(); }
  const std::string& loss() const override { return loss_; }
  void throw_if_lost() const override;
  void add_polls(bool reads, std::vector<pollfd>& fds) const override;
  Instant next_beat() const override { return Instant::max(); } // ssh has its ServerAliveInterval
  void polled(bool reads) override;

  /// Asks whether the master lives. answered(question) once it said so; lost() once it cannot.
  std::uint32_t ask();
  bool answered(std::uint32_t question) const { return answered_ >= question; }

  const std::string& who() const { return who_; }
  std::string socket_path() const { return socket_in(folder_->path()); }
  void note_channel_left() { channel_left_ = BootClock::now(); }

private:
  bool wait_for_leaving(const Wait& wait) const;
  void lose();

  std::unique_ptr<TemporaryDirectory> folder_;
  std::string who_;
  MuxSocket leash_;
  std::uint32_t asked_ = 0;
  std::uint32_t answered_ = 0;
  pid_t pid_ = -1;
  std::string loss_;
  Instant channel_left_ = Instant::min();
};

} // namespace belay::ssh
