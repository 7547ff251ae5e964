// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/ssh/control_master.h"

#include <memory>
#include <optional>
#include <string>

// The steps of a command over a control master: three descriptors of our own, handed to the master,
// and a connection to its socket on which the exit status comes. A connection that breaks looks
// like an end of output, so an end of output without a status is believed only after the master has
// shown that it lives.

namespace belay::ssh {

class MuxCommand final : public RemoteCommand {
public:
  /// nullptr where sshd grants no further channel. Throws as RemoteLink::start does.
  static std::unique_ptr<MuxCommand> try_start(std::shared_ptr<ControlMaster> master,
                                               const std::string& command, const Wait& wait);
  MuxCommand(const MuxCommand&) = delete;
  MuxCommand& operator=(const MuxCommand&) = delete;
  ~MuxCommand() override { master_->note_channel_left(); }

  std::optional<std::size_t> try_read(char* buffer, std::size_t size) override;
  std::size_t try_write(std::string_view text) override;
  bool try_send_eof() override;
  bool try_closed() override;
  void await(const Interest& interest, const Wait& wait, const char* what) override;
  void add_polls(const Interest& interest, std::vector<pollfd>& fds) const override;
  const std::string& stderr_tail() const override { return stderr_.text(); }
  std::uint64_t stderr_bytes() const override { return stderr_.bytes(); }
  ChannelEnd end() const override;

private:
  struct Ends;
  MuxCommand(std::shared_ptr<ControlMaster> master, MuxSocket control, Ends ours);

  void collect_stderr();
  void collect_status();
  void add_report_polls(std::vector<pollfd>& fds) const;
  bool trustworthy();

  std::shared_ptr<ControlMaster> master_;
  MuxSocket control_;
  UniqueFd in_;
  UniqueFd out_; ///< closed at its end
  UniqueFd err_; ///< likewise
  StderrTail stderr_;
  std::optional<std::uint32_t> status_;
  std::optional<std::uint32_t> question_; ///< put to the master after an end without a status
  bool closed_ = false;
};

} // namespace belay::ssh
