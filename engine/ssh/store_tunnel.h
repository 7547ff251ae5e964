// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/file.h"
#include "engine/ssh/remote_command.h"

#include <atomic>
#include <list>
#include <thread>

// The target's Nix store as a unix socket on this machine. Whoever connects to the socket talks to
// `nix-daemon --stdio` on the target, over a channel of the connection that exists anyway. One
// thread pumps both ways: it never waits for one side while the other has something, holds at most
// a buffer each way (a slow reader is felt by the writer, through SSH's windows and the
// socket's own buffers), hands on half-closes, and keeps how the last channel ended, since the
// program at the socket only sees an early end of file. Where sshd grants no second channel, the
// next connection waits until the first one is through.

namespace belay::ssh {

/// What runs on the target unless the service names another command; constant, so that no word of a
/// plan ever reaches a shell through it.
extern const char* const store_command;

class LinkStoreTunnel final : public StoreTunnel {
public:
  /// Throws Error{system} where the socket or its thread cannot be made.
  LinkStoreTunnel(std::shared_ptr<RemoteLink> link, StoreService service);
  ~LinkStoreTunnel() override;

  std::string store_uri() const override { return "unix://" + socket_path_; }
  std::uint64_t bytes_sent() const override { return bytes_sent_; }
  std::optional<ChannelEnd> finish(const Wait& wait) override;
  /// finish() begins with it: nobody is let in any more, and the pump ends by itself when those who
  /// are there have ended. Does not wait. Any thread.
  void stop() { stop_.cancel(); }

private:
  struct Joint;

  void listen();
  void pump(); ///< the thread's
  void carry();
  bool step();
  bool accept_one();
  std::unique_ptr<RemoteCommand> start();
  bool advance(Joint& joint);
  void wait_for_something();
  void leave_all(const std::string& broken); ///< why carry() broke; empty = it did not

  std::shared_ptr<RemoteLink> link_;
  StoreService service_;
  TemporaryDirectory directory_;
  std::string socket_path_;
  UniqueFd listener_;
  UniqueFd waiting_;      ///< accepted, but without a channel yet
  bool crowded_ = false;  ///< sshd refused a further channel
  unsigned steps_ = 0;    ///< since somebody was waited for
  bool stopping_ = false; ///< stop_, as the round that is going on sees it
  std::list<Joint> joints_;
  std::atomic<std::uint64_t> bytes_sent_{0};

  CancelSource stop_;                  ///< no new connections; end when the present ones have ended
  CancelSource abandon_;               ///< end now
  UniqueFd pump_ended_;                ///< readable when it has
  UniqueFd pump_lives_;                ///< the other end of that pipe: the pump's
  std::optional<ChannelEnd> last_end_; ///< the pump's, until it is joined
  std::thread thread_;
};

} // namespace belay::ssh
