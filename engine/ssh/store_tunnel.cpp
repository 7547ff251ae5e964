// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/store_tunnel.h"

#include "engine/base/error.h"
#include "engine/base/thread.h"
#include "engine/ssh/byte_queue.h"
#include "engine/ssh/command_channel.h"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <tuple>
#include <unistd.h>
#include <vector>

namespace belay::ssh {

// sh also where the login shell is another one; the folders are those where a Nix that is not in
// sshd's PATH lives.
const char* const store_command =
    "sh -c 'PATH=$PATH:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:"
    "$HOME/.nix-profile/bin exec nix-daemon --stdio'";

namespace {

constexpr std::size_t buffer_cap = 256 * 1024; // each way; several of SSH's 32 KiB packets
constexpr std::size_t joints_cap = 8;          // below sshd's MaxSessions, by default 10
constexpr Duration channel_limit = std::chrono::seconds(30);

} // namespace

struct LinkStoreTunnel::Joint {
  UniqueFd local;
  std::unique_ptr<RemoteCommand> command;
  ByteQueue up{buffer_cap};   ///< towards the target
  ByteQueue down{buffer_cap}; ///< towards the local program
  bool local_ended = false;   ///< it says nothing more
  bool local_gone = false;    ///< it takes nothing more
  bool eof_sent = false;      ///< the target knows the former
  bool remote_ended = false;  ///< the target says nothing more
  bool remote_closed = false;

  bool reads_local() const { return !local_ended && !up.full(); }
  bool reads_remote() const { return !remote_closed && (remote_ended || !down.full()); }
  bool writes_remote() const {
    return !remote_ended && (!up.empty() || (local_ended && !eof_sent));
  }
  bool done() const { return remote_closed && down.empty(); }

  bool take_local();
  std::size_t send_up();
  bool take_remote();
  bool send_down();
};

bool LinkStoreTunnel::Joint::take_local() {
  if (!reads_local())
    return false;
  const auto room = up.room();
  const auto count = ::read(local.get(), room.data(), room.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR))
    return false;
  if (count > 0)
    up.fill(static_cast<std::size_t>(count));
  else
    local_ended = true;
  return true;
}

std::size_t LinkStoreTunnel::Joint::send_up() {
  if (remote_ended)
    up.clear(); // nobody reads it any more
  const auto count = up.empty() ? 0 : command->try_write(up.view());
  up.drop(count);
  if (local_ended && up.empty() && !eof_sent && !remote_ended)
    eof_sent = command->try_send_eof();
  return count;
}

bool LinkStoreTunnel::Joint::take_remote() {
  if (!reads_remote())
    return false;
  if (remote_ended)
    return remote_closed = command->try_closed();
  const auto room = down.room();
  const auto count = command->try_read(room.data(), room.size());
  if (!count)
    return false;
  down.fill(*count);
  remote_ended = *count == 0;
  return true;
}

bool LinkStoreTunnel::Joint::send_down() {
  if (local_gone)
    down.clear();
  ssize_t count = 0;
  if (!down.empty()) {
    const auto text = down.view();
    count = send(local.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN && errno != EINTR)
      local_gone = local_ended = true;
    down.drop(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  }
  if (remote_ended && down.empty() && !local_gone) {
    shutdown(local.get(), SHUT_WR);
  }
  return count > 0;
}

LinkStoreTunnel::LinkStoreTunnel(std::shared_ptr<RemoteLink> link, StoreService service)
    // Short: a unix socket's path has at most 107 bytes, and a TMPDIR may be long.
    : link_(std::move(link)), service_(std::move(service)), directory_("/tmp/b."),
      socket_path_(directory_.path().string() + "/s") {
  listen();
  std::tie(pump_ended_, pump_lives_) = make_pipe();
  thread_ = start_thread("a copy's tunnel", [this] { pump(); });
}

LinkStoreTunnel::~LinkStoreTunnel() {
  finish(Wait::at_most(Duration::zero()));
}

void LinkStoreTunnel::listen() {
  listener_ = UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_path_.copy(address.sun_path, sizeof address.sun_path - 1);
  if (!listener_ ||
      bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_.get(), 16) != 0)
    throw Error::from_errno("making the socket " + socket_path_, errno);
}

std::optional<ChannelEnd> LinkStoreTunnel::finish(const Wait& wait) {
  if (!thread_.joinable())
    return last_end_;
  stop();
  if (wait_readable(pump_ended_.get(), wait) != Ready::yes)
    abandon_.cancel();
  thread_.join();
  return last_end_;
}

void LinkStoreTunnel::pump() {
  std::string broken;
  try {
    carry();
  } catch (const std::exception& error) { // nothing may pass the end of a thread
    broken = error.what();
  }
  leave_all(broken);
  pump_lives_.reset();
}

void LinkStoreTunnel::carry() {
  while (!abandon_.cancelled() && !link_->lost()) {
    // Looked at once a round: a stop that comes later is still in the descriptor when the round
    // ends in waiting, where a second look would take it as known.
    stopping_ = stop_.cancelled();
    if (step())
      continue;
    if (stopping_ && joints_.empty())
      break;
    wait_for_something();
  }
}

bool LinkStoreTunnel::step() {
  // To look for callers is a system call, too much for each packet of those who are busy.
  constexpr unsigned steps_between_looks = 16;
  bool moved = (waiting_ || steps_++ % steps_between_looks == 0) && accept_one();
  for (auto joint = joints_.begin(); joint != joints_.end();) {
    moved |= advance(*joint);
    if (joint->done()) {
      last_end_ = joint->command->end();
      joint = joints_.erase(joint);
      moved = true; // also for whoever waits for its place
    } else {
      ++joint;
    }
  }
  return moved;
}

/// A service that has to be begun is waited for: Nix opens its connections one after the other.
std::unique_ptr<RemoteCommand> LinkStoreTunnel::start() {
  const auto wait = Wait::at_most(channel_limit, abandon_.token());
  auto command = link_->start(service_.command.empty() ? store_command : service_.command, wait);
  if (!service_.begin)
    return command;
  CommandChannel channel(std::move(command));
  service_.begin(channel, wait);
  return channel.release();
}

bool LinkStoreTunnel::accept_one() {
  if (!waiting_ && !stopping_ && joints_.size() < joints_cap)
    waiting_ = UniqueFd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!waiting_ || (crowded_ && !joints_.empty()))
    return false;
  try {
    auto command = start();
    joints_.push_back({std::move(waiting_), std::move(command)});
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::transport_unsupported && !joints_.empty()) {
      crowded_ = true;
      return false;
    }
    waiting_.reset();
    last_end_ = ChannelEnd{{}, {}, error.message(), false};
  }
  return true;
}

bool LinkStoreTunnel::advance(Joint& joint) {
  try {
    if (stopping_)
      joint.local_ended = true;
    bool moved = joint.take_local();
    const auto sent = joint.send_up();
    bytes_sent_ += sent;
    moved |= joint.take_remote();
    moved |= joint.send_down();
    return moved || sent > 0;
  } catch (const Error& error) {
    // The channel is of no use any more; how it ended is told as far as it is known.
    joint.remote_ended = joint.remote_closed = joint.local_gone = true;
    joint.down.clear();
    return true;
  }
}

void LinkStoreTunnel::wait_for_something() {
  std::vector<pollfd> fds;
  const bool reads =
      std::ranges::any_of(joints_, [](const Joint& joint) { return joint.reads_remote(); });
  link_->add_polls(reads, fds);
  fds.push_back({abandon_.token().poll_fd(), POLLIN, 0});
  if (!stopping_)
    fds.push_back({stop_.token().poll_fd(), POLLIN, 0});
  if (!stopping_ && !waiting_ && joints_.size() < joints_cap)
    fds.push_back({listener_.get(), POLLIN, 0});
  for (const auto& joint : joints_) {
    const Interest interest{.output = joint.reads_remote(), .input = joint.writes_remote()};
    if (joint.command->unseen(interest))
      return;
    joint.command->add_polls(interest, fds);
    const int events = (joint.reads_local() ? POLLIN : 0) | (joint.down.empty() ? 0 : POLLOUT);
    if (events != 0) // without: a socket that hung up would wake us for ever
      fds.push_back({joint.local.get(), static_cast<short>(events), 0});
  }
  const Wait until{link_->next_beat(), {}};
  poll(fds.data(), fds.size(), until.poll_milliseconds());
  steps_ = 0;
  link_->polled(reads);
}

void LinkStoreTunnel::leave_all(const std::string& broken) {
  listener_.reset();
  waiting_.reset();
  for (const auto& joint : joints_) {
    last_end_ = joint.command->end();
    if (link_->lost())
      last_end_->stderr_tail += "connection lost: " + link_->loss();
  }
  joints_.clear();
  if (!broken.empty())
    last_end_ = ChannelEnd{{}, {}, broken, false};
}

} // namespace belay::ssh
