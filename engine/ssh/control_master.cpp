// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/control_master.h"

#include "engine/base/error.h"
#include "engine/ssh/handshake_gate.h"
#include "engine/ssh/mux_command.h"
#include "engine/ssh/ssh_log.h"

#include <csignal>

namespace belay::ssh {
namespace {

using Type = MuxMessage::Type;

constexpr Duration goodbye_limit = std::chrono::seconds(1);
constexpr Duration leaving_limit = std::chrono::seconds(2);
constexpr Duration leaving_poll = std::chrono::milliseconds(20);

} // namespace

std::string ControlMaster::socket_in(const std::filesystem::path& folder) {
  return (folder / "m").string(); // short: ssh adds 17 characters while it makes it
}

std::string ControlMaster::log_in(const std::filesystem::path& folder) {
  return (folder / "log").string();
}

ControlMaster::ControlMaster(std::unique_ptr<TemporaryDirectory> folder, std::string who,
                             const Wait& wait)
    : folder_(std::move(folder)), who_(std::move(who)), leash_(socket_in(folder_->path()), wait) {
  leash_.send(Type::alive_check, ++asked_);
  const auto reply = leash_.receive(wait, "asking the control master for its process");
  if (reply.type != Type::alive)
    throw Error(ErrorKind::protocol, who_ + ": the control master did not say who it is");
  answered_ = asked_;
  pid_ = static_cast<pid_t>(reply.value);
}

ControlMaster::~ControlMaster() {
  bool gone = false;
  try {
    leash_.send(Type::terminate, ++asked_);
    const auto wait = Wait::at_most(goodbye_limit);
    for (;;)
      leash_.receive(wait, "ending the control master");
  } catch (const Error& error) {
    gone = error.kind() == ErrorKind::unreachable;
  }
  if (!gone) // it still holds the other end of the leash: the process id is its own
    kill(pid_, SIGKILL);
}

// sshd counts a channel until it has read our acknowledgement of its end.
bool ControlMaster::wait_for_leaving(const Wait& wait) const {
  if (channel_left_ == Instant::min() || BootClock::now() - channel_left_ > leaving_limit)
    return false;
  wait_out(leaving_poll, wait);
  return true;
}

std::unique_ptr<RemoteCommand> ControlMaster::start(const std::string& command, const Wait& wait) {
  do {
    polled(false);
    throw_if_lost();
    if (auto started = MuxCommand::try_start(shared_from_this(), command, wait))
      return started;
  } while (wait_for_leaving(wait));
  throw Error(ErrorKind::transport_unsupported,
              who_ + ": sshd grants no further channel on this connection; raise MaxSessions in "
                     "its sshd_config");
}

void ControlMaster::throw_if_lost() const {
  if (lost())
    throw Error(ErrorKind::unreachable, who_ + ": the connection was lost: " + loss_);
}

void ControlMaster::add_polls(bool, std::vector<pollfd>& fds) const {
  if (!lost())
    fds.push_back({leash_.fd(), POLLIN, 0});
}

void ControlMaster::lose() {
  const auto why = last_words(log_in(folder_->path()));
  loss_ = why.empty() ? "ssh ended" : why;
}

void ControlMaster::polled(bool) {
  if (lost())
    return;
  try {
    while (const auto message = leash_.try_receive())
      if (message->type == Type::alive)
        answered_ = message->id;
  } catch (const Error& error) {
    loss_ = error.message();
    return;
  }
  if (leash_.ended())
    lose();
}

std::uint32_t ControlMaster::ask() {
  ++asked_; // also where it cannot be put: then it is never answered
  try {
    if (!lost())
      leash_.send(Type::alive_check, asked_);
  } catch (const Error&) {
    lose();
  }
  return asked_;
}

} // namespace belay::ssh
