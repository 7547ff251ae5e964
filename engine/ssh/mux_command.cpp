// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/mux_command.h"

#include "engine/base/error.h"
#include "engine/ssh/wire.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <unistd.h>

namespace belay::ssh {
namespace {

using Type = MuxMessage::Type;

constexpr std::uint32_t session_request = 1;
constexpr std::uint32_t no_escape_character = 0xffffffff;

// reserved, four flags (terminal, X11, agent, subsystem), escape character, terminal, command
std::string session_body(const std::string& command) {
  std::string body = wire_string("");
  for (int flag = 0; flag < 4; ++flag)
    body += wire_number(0);
  return body + wire_number(no_escape_character) + wire_string("") + wire_string(command);
}

// A socket, not a pipe: a write to somebody who has gone must be an error, not our death.
std::pair<UniqueFd, UniqueFd> make_stdin() {
  int fds[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
    throw Error::from_errno("making a socket pair", errno);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

} // namespace

struct MuxCommand::Ends {
  UniqueFd in, out, err;
};

MuxCommand::MuxCommand(std::shared_ptr<ControlMaster> master, MuxSocket control, Ends ours)
    : master_(std::move(master)), control_(std::move(control)), in_(std::move(ours.in)),
      out_(std::move(ours.out)), err_(std::move(ours.err)) {
  for (const auto* fd : {&in_, &out_, &err_})
    set_nonblocking(fd->get());
}

std::unique_ptr<MuxCommand> MuxCommand::try_start(std::shared_ptr<ControlMaster> master,
                                                  const std::string& command, const Wait& wait) {
  try {
    MuxSocket control(master->socket_path(), wait);
    auto [in_theirs, in] = make_stdin();
    auto [out, out_theirs] = make_pipe();
    auto [err, err_theirs] = make_pipe();
    const std::array theirs{in_theirs.get(), out_theirs.get(), err_theirs.get()};
    control.send(Type::new_session, session_request, session_body(command), theirs);
    const auto reply = control.receive(wait, "starting a command");
    if (reply.type == Type::failure)
      return nullptr;
    if (reply.type != Type::session_opened)
      throw Error(ErrorKind::protocol, "the control master starts no command: " + reply.reason);
    return std::unique_ptr<MuxCommand>(
        new MuxCommand(std::move(master), std::move(control),
                       Ends{std::move(in), std::move(out), std::move(err)}));
  } catch (Error& error) {
    master->polled(false);
    if (error.kind() == ErrorKind::unreachable)
      master->throw_if_lost();
    error.add_context(master->who());
    throw;
  }
}

void MuxCommand::collect_stderr() {
  std::array<char, 16 * 1024> buffer{};
  while (err_) {
    const auto count = ::read(err_.get(), buffer.data(), buffer.size());
    if (count > 0)
      stderr_.add({buffer.data(), static_cast<std::size_t>(count)});
    else if (count < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    else
      err_.reset();
  }
}

void MuxCommand::collect_status() {
  while (const auto message = control_.try_receive())
    if (message->type == Type::exit_message)
      status_ = message->value;
}

// Whether an end that was seen is the command's own and not that of the connection.
bool MuxCommand::trustworthy() {
  if (status_)
    return true;
  if (!question_)
    question_ = master_->ask();
  master_->polled(true);
  collect_status(); // it may have come before the loss
  if (status_ || master_->answered(*question_))
    return true;
  master_->throw_if_lost();
  return false;
}

std::optional<std::size_t> MuxCommand::try_read(char* buffer, std::size_t size) {
  collect_stderr();
  collect_status();
  if (out_) {
    const auto count = ::read(out_.get(), buffer, size);
    if (count > 0)
      return static_cast<std::size_t>(count);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
      return std::nullopt;
    out_.reset();
    collect_stderr(); // what came together with the end
  }
  return trustworthy() ? std::optional<std::size_t>(0) : std::nullopt;
}

std::size_t MuxCommand::try_write(std::string_view text) {
  std::size_t done = 0;
  while (in_ && done < text.size()) {
    const auto count = send(in_.get(), text.data() + done, text.size() - done, MSG_NOSIGNAL);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
      return done;
    if (count < 0) {
      in_.reset(); // the command reads no more, or the connection is lost: reading tells which
      return text.size();
    }
    done += static_cast<std::size_t>(count);
  }
  return in_ ? done : text.size();
}

bool MuxCommand::try_send_eof() {
  in_.reset();
  return true;
}

bool MuxCommand::try_closed() {
  if (closed_)
    return true;
  collect_stderr();
  collect_status();
  if (!control_.ended() || !trustworthy())
    return false;
  collect_stderr();
  return closed_ = true;
}

void MuxCommand::add_report_polls(std::vector<pollfd>& fds) const {
  if (!control_.ended())
    fds.push_back({control_.fd(), POLLIN, 0});
  if (err_)
    fds.push_back({err_.get(), POLLIN, 0});
}

// Nothing that nobody would take: it would wake the poll for ever.
void MuxCommand::add_polls(const Interest& interest, std::vector<pollfd>& fds) const {
  if (interest.output)
    add_report_polls(fds);
  if (out_ && interest.output)
    fds.push_back({out_.get(), POLLIN, 0});
  if (in_ && interest.input)
    fds.push_back({in_.get(), POLLOUT, 0});
}

void MuxCommand::await(const Interest& interest, const Wait& wait, const char* what) {
  const auto fail = [&](ErrorKind kind, const char* why) {
    throw Error(kind, master_->who() + ": " + what + why);
  };
  master_->throw_if_lost();
  std::vector<pollfd> fds;
  master_->add_polls(interest.output, fds);
  add_polls(interest, fds);
  if (!interest.output)
    add_report_polls(fds); // a command that is stuck in its stderr reads no input
  fds.push_back({wait.cancel.poll_fd(), POLLIN, 0});
  if (wait.cancel.cancelled())
    fail(ErrorKind::cancelled, ": cancelled");
  const int count = poll(fds.data(), fds.size(), wait.poll_milliseconds());
  if (count < 0 && errno != EINTR)
    throw Error::from_errno("poll", errno);
  if (wait.cancel.cancelled())
    fail(ErrorKind::cancelled, ": cancelled");
  if (count == 0 && wait.expired())
    fail(ErrorKind::deadline_exceeded, ": timed out");
  collect_stderr();
  collect_status();
  master_->polled(interest.output);
}

ChannelEnd MuxCommand::end() const {
  ChannelEnd end;
  end.stderr_tail = stderr_.text();
  end.clean = closed_;
  if (closed_ && status_)
    end.exit_status = static_cast<int>(*status_);
  else if (closed_)
    end.exit_signal = ChannelEnd::unknown_signal;
  return end;
}

} // namespace belay::ssh
