// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/connection.h"

#include "engine/base/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <poll.h>
#include <sys/socket.h>

namespace belay::ssh {
namespace {

// Bulk stops at congested(); what is beyond are answers that the other side asks for and does not
// read.
constexpr std::size_t outbox_cap = 4 * 1024 * 1024;
constexpr std::size_t inbox_cap = 64 * 1024;
constexpr std::size_t greeting_cap = 16 * 1024;

void start_libssh2() {
  static std::once_flag once; // libssh2_init may not run twice at a time
  std::call_once(once, [] { libssh2_init(0); });
}

} // namespace

Connection::Connection(UniqueFd socket, std::string who, KeepAlive keep_alive)
    : socket_(std::move(socket)), who_(std::move(who)), keep_alive_(keep_alive) {
  start_libssh2();
  session_ = libssh2_session_init_ex(nullptr, nullptr, nullptr, this);
  if (!session_)
    throw Error(ErrorKind::system, who_ + ": no memory for an SSH session");
  libssh2_session_set_blocking(session_, 0);
  libssh2_session_callback_set2(session_, LIBSSH2_CALLBACK_SEND,
                                reinterpret_cast<libssh2_cb_generic*>(&send_hook));
  libssh2_session_callback_set2(session_, LIBSSH2_CALLBACK_RECV,
                                reinterpret_cast<libssh2_cb_generic*>(&receive_hook));
  libssh2_session_callback_set2(session_, LIBSSH2_CALLBACK_DISCONNECT,
                                reinterpret_cast<libssh2_cb_generic*>(&disconnect_hook));
  libssh2_keepalive_config(session_, 1, 1); // when one is due is our own affair
}

Connection::~Connection() {
  if (!lost()) {
    libssh2_session_disconnect(session_, "done");
    flush();
  }
  closing_ = true; // nothing comes any more: libssh2 gives up waiting for acknowledgements
  for (int tries = 0; tries < 1000 && libssh2_session_free(session_) == LIBSSH2_ERROR_EAGAIN;)
    ++tries;
}

ssize_t Connection::send_hook(libssh2_socket_t, const void* data, size_t size, int, void** self) {
  auto& connection = *static_cast<Connection*>(*self);
  if (connection.lost() || connection.closing_)
    return -EPIPE;
  if (connection.outbox_.size() - connection.sent_ > outbox_cap)
    connection.lose("the other side does not read");
  connection.outbox_.append(static_cast<const char*>(data), size);
  return static_cast<ssize_t>(size);
}

ssize_t Connection::receive_hook(libssh2_socket_t, void* buffer, size_t size, int, void** self) {
  auto& connection = *static_cast<Connection*>(*self);
  auto& inbox = connection.inbox_;
  if (connection.closing_)
    return 0;
  if (!inbox.empty()) {
    const auto count = std::min(size, inbox.size());
    std::memcpy(buffer, inbox.data(), count);
    inbox.erase(0, count);
    connection.intake_ += count;
    return static_cast<ssize_t>(count);
  }
  return connection.receive(static_cast<char*>(buffer), size);
}

// The server's goodbye; what libssh2 returns then depends on what it was doing.
void Connection::disconnect_hook(LIBSSH2_SESSION*, int, const char* message, int size, const char*,
                                 int, void** self) {
  const std::string_view text(message ? message : "", static_cast<std::size_t>(std::max(size, 0)));
  static_cast<Connection*>(*self)->lose("the other side says: " + one_line(text));
}

// libssh2 is not told of a loss: it would refuse to hand out what came before it.
ssize_t Connection::receive(char* buffer, std::size_t size) {
  if (lost())
    return -EAGAIN;
  const auto count = recv(socket_.get(), buffer, size, MSG_DONTWAIT);
  if (count > 0) {
    intake_ += static_cast<std::uint64_t>(count);
    heard();
    if (greeting_.size() < greeting_cap)
      greeting_.append(buffer, static_cast<std::size_t>(count));
    return count;
  }
  if (count == 0)
    lose("closed by the other side");
  else if (errno != EAGAIN && errno != EINTR)
    lose(std::strerror(errno));
  return -EAGAIN;
}

void Connection::heard() {
  unanswered_ = 0;
  if (next_beat_ != Instant::max())
    next_beat_ = BootClock::now() + keep_alive_.interval;
}

void Connection::flush() {
  while (sent_ < outbox_.size() && !lost()) {
    const auto count = send(socket_.get(), outbox_.data() + sent_, outbox_.size() - sent_,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      sent_ += static_cast<std::size_t>(count);
      continue;
    }
    if (errno != EAGAIN && errno != EINTR)
      lose(std::strerror(errno));
    break;
  }
  if (sent_ == outbox_.size() || sent_ > 1024 * 1024) {
    outbox_.erase(0, sent_);
    sent_ = 0;
  }
}

void Connection::lose(std::string why) {
  if (loss_.empty())
    loss_ = std::move(why);
}

void Connection::throw_if_lost() const {
  if (lost())
    throw Error(ErrorKind::unreachable, who_ + ": the connection was lost: " + loss_);
}

std::string Connection::last_message() const {
  char* text = nullptr;
  int size = 0;
  libssh2_session_last_error(session_, &text, &size, 0);
  return std::string(text ? text : "", static_cast<std::size_t>(std::max(size, 0)));
}

short Connection::poll_events(bool reads) const {
  const int in = reads || inbox_.size() < inbox_cap ? POLLIN : 0;
  return static_cast<short>(sent_ < outbox_.size() ? in | POLLOUT : in);
}

void Connection::start_keep_alive() {
  next_beat_ = BootClock::now() + keep_alive_.interval;
}

void Connection::beat() {
  if (BootClock::now() < next_beat_ || lost())
    return;
  read_ahead(); // an answer may lie there unread
  if (inbox_.size() >= inbox_cap)
    heard();
  if (BootClock::now() < next_beat_ || lost())
    return;
  if (unanswered_ >= keep_alive_.count) {
    lose("no answer to " + std::to_string(unanswered_) + " keep-alives");
    return;
  }
  int seconds_to_next = 0;
  libssh2_keepalive_send(session_, &seconds_to_next);
  ++unanswered_;
  next_beat_ = BootClock::now() + keep_alive_.interval;
}

void Connection::tick() {
  beat();
  flush();
}

void Connection::read_ahead() {
  std::array<char, 4096> buffer{};
  while (inbox_.size() < inbox_cap) {
    const auto count = receive(buffer.data(), buffer.size());
    if (count <= 0)
      return;
    inbox_.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

void Connection::await(std::uint64_t seen, const Wait& wait, const char* what) {
  throw_if_lost();
  if (wait.cancel.cancelled())
    throw Error(ErrorKind::cancelled, who_ + ": " + what + ": cancelled");
  const Wait until{std::min(wait.deadline, next_beat_), wait.cancel};
  std::array<pollfd, 2> fds{{{fd(), poll_events(true), 0}, {wait.cancel.poll_fd(), POLLIN, 0}}};
  const int limit = intake_ == seen ? until.poll_milliseconds() : 0;
  const int count = poll(fds.data(), fds.size(), limit);
  if (count < 0 && errno != EINTR)
    throw Error::from_errno("poll", errno);
  if (wait.cancel.cancelled())
    throw Error(ErrorKind::cancelled, who_ + ": " + what + ": cancelled");
  if (count == 0 && wait.expired())
    throw Error(ErrorKind::deadline_exceeded, who_ + ": " + what + ": timed out");
  tick();
}

void Connection::reap() {
  std::erase_if(buried_, [](LIBSSH2_CHANNEL* channel) {
    return libssh2_channel_free(channel) != LIBSSH2_ERROR_EAGAIN;
  });
}

} // namespace belay::ssh
