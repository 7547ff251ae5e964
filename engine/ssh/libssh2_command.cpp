// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/libssh2_command.h"

#include "engine/ssh/handshake_gate.h"

#include <algorithm>
#include <array>

namespace belay::ssh {
namespace {

constexpr std::size_t read_size = 32 * 1024; // one packet of OpenSSH's
constexpr Duration burial_limit = std::chrono::seconds(5);
constexpr Duration leaving_limit = std::chrono::seconds(2);
constexpr Duration leaving_poll = std::chrono::milliseconds(20);

// nullptr where sshd refuses.
LIBSSH2_CHANNEL* try_open(Connection& connection, const Wait& wait) {
  LIBSSH2_CHANNEL* channel = nullptr;
  connection.call(
      [&] {
        channel = libssh2_channel_open_session(connection.raw());
        return channel ? 0 : connection.last_code();
      },
      wait, "opening a channel");
  if (!channel && connection.last_code() != LIBSSH2_ERROR_CHANNEL_FAILURE)
    throw Error(ErrorKind::protocol,
                connection.who() + ": opening a channel: " + connection.last_message());
  return channel;
}

// sshd counts a channel until its command has ended, which may be a little after we let go of it.
bool wait_for_burial(Connection& connection, const Wait& wait) {
  const auto before = connection.buried();
  try {
    connection.call(
        [&] {
          connection.reap();
          return connection.buried() < before ? 0 : LIBSSH2_ERROR_EAGAIN;
        },
        wait.within(burial_limit), "waiting for a command that was left");
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::deadline_exceeded || wait.expired())
      throw;
    return false;
  }
}

// Also one whose command has ended counts until sshd has read our acknowledgement of that.
bool wait_for_leaving(Connection& connection, const Wait& wait) {
  if (connection.channel_left() == Instant::min() ||
      BootClock::now() - connection.channel_left() > leaving_limit)
    return false;
  wait_out(leaving_poll, wait);
  return true;
}

LIBSSH2_CHANNEL* open_channel(Connection& connection, const Wait& wait) {
  connection.reap();
  do {
    if (auto* channel = try_open(connection, wait))
      return channel;
  } while (connection.buried() > 0 ? wait_for_burial(connection, wait)
                                   : wait_for_leaving(connection, wait));
  throw Error(ErrorKind::transport_unsupported,
              connection.who() + ": sshd grants no further channel on this connection; raise "
                                 "MaxSessions in its sshd_config");
}

} // namespace

Libssh2Command::Libssh2Command(std::shared_ptr<Connection> connection, const std::string& command,
                               const Wait& wait)
    : connection_(std::move(connection)) {
  channel_ = open_channel(*connection_, wait);
  int code = 0;
  try {
    code = connection_->call(
        [&] {
          return libssh2_channel_process_startup(channel_, "exec", 4, command.data(),
                                                 static_cast<unsigned>(command.size()));
        },
        wait, "starting a command");
  } catch (...) {
    connection_->bury(channel_);
    throw;
  }
  if (code == 0)
    return;
  const auto message = connection_->last_message();
  connection_->bury(channel_);
  throw Error(ErrorKind::protocol, connection_->who() + ": sshd refused to run a command (" +
                                       message + "); does the login allow commands?");
}

Libssh2Command::~Libssh2Command() {
  if (libssh2_channel_free(channel_) == LIBSSH2_ERROR_EAGAIN)
    connection_->bury(channel_);
  connection_->note_channel_left();
  connection_->tick();
}

void Libssh2Command::fail(const char* what) const {
  connection_->throw_if_lost();
  throw Error(ErrorKind::unreachable,
              connection_->who() + ": " + what + ": " + connection_->last_message());
}

// Before the last look for any of what is asked for.
std::uint64_t Libssh2Command::seen(const Interest& interest) const {
  const auto now = connection_->intake();
  return std::min(interest.output ? read_seen_ : now, interest.input ? write_seen_ : now);
}

// Always by the same size: when a window adjustment has to wait for a key exchange, libssh2 books
// the size of the read that comes next, not of the one that was announced, and then throws data
// away as sent beyond the window.
ssize_t Libssh2Command::read_stream(int stream, std::string& to) {
  std::array<char, read_size> buffer; // not cleared: that would cost more than most reads
  const auto count = libssh2_channel_read_ex(channel_, stream, buffer.data(), buffer.size());
  if (count > 0)
    to.append(buffer.data(), static_cast<std::size_t>(count));
  return count;
}

void Libssh2Command::collect_stderr() {
  std::string text;
  while (read_stream(SSH_EXTENDED_DATA_STDERR, text) > 0) {
    stderr_.add(text);
    text.clear();
  }
}

std::optional<std::size_t> Libssh2Command::try_read(char* buffer, std::size_t size) {
  if (stdout_taken_ == stdout_.size()) {
    stdout_.clear();
    stdout_taken_ = 0;
    read_seen_ = connection_->intake();
    collect_stderr();
    const auto count = read_stream(0, stdout_);
    connection_->tick();
    if (count < 0 && count != LIBSSH2_ERROR_EAGAIN)
      fail("reading from a command");
    if (count <= 0) {
      collect_stderr(); // what came together with the end
      if (count == 0 && libssh2_channel_eof(channel_) == 1)
        return 0;
      return std::nullopt;
    }
  }
  const auto count = stdout_.copy(buffer, size, stdout_taken_);
  stdout_taken_ += count;
  return count;
}

std::size_t Libssh2Command::try_write(std::string_view text) {
  std::size_t done = 0;
  write_seen_ = connection_->intake();
  while (done < text.size() && !connection_->congested()) {
    const auto count = libssh2_channel_write(channel_, text.data() + done, text.size() - done);
    connection_->tick();
    if (count == 0 || count == LIBSSH2_ERROR_EAGAIN)
      break;
    if (count < 0)
      fail("writing to a command");
    done += static_cast<std::size_t>(count);
  }
  return done;
}

bool Libssh2Command::try_send_eof() {
  write_seen_ = connection_->intake();
  const int code = libssh2_channel_send_eof(channel_);
  connection_->tick();
  if (code != 0 && code != LIBSSH2_ERROR_EAGAIN)
    fail("ending a command's input");
  return code == 0;
}

bool Libssh2Command::try_closed() {
  read_seen_ = connection_->intake();
  const int code = libssh2_channel_wait_closed(channel_);
  connection_->tick();
  if (code == 0)
    closed_ = true;
  else if (code != LIBSSH2_ERROR_EAGAIN)
    fail("waiting for a command's end");
  return closed_;
}

ChannelEnd Libssh2Command::end() const {
  ChannelEnd end;
  end.stderr_tail = stderr_.text();
  end.clean = closed_;
  char* signal = nullptr;
  std::size_t size = 0;
  libssh2_channel_get_exit_signal(channel_, &signal, &size, nullptr, nullptr, nullptr, nullptr);
  if (signal) {
    end.exit_signal.assign(signal, size);
    libssh2_free(connection_->raw(), signal);
  } else if (closed_) {
    end.exit_status = libssh2_channel_get_exit_status(channel_);
  }
  return end;
}

void Libssh2Link::polled(bool reads) {
  if (!reads) // else whoever reads notices an answer
    connection_->read_ahead();
  connection_->tick();
}

} // namespace belay::ssh
