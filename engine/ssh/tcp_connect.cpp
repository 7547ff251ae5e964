// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/tcp_connect.h"

#include "engine/base/thread.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <vector>

namespace belay::ssh {
namespace {

using Nature = ConnectFailure::Nature;
constexpr Duration next_address_after = std::chrono::milliseconds(250); // RFC 8305, section 5

struct AddressListDeleter {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using AddressList = std::unique_ptr<addrinfo, AddressListDeleter>;

int family_of(AddressFamily family) {
  if (family == AddressFamily::inet)
    return AF_INET;
  return family == AddressFamily::inet6 ? AF_INET6 : AF_UNSPEC;
}

struct Lookup {
  std::string host;
  std::string port;
  addrinfo hints{};
  int code = 0;
  AddressList list;
  std::mutex mutex; ///< over code and list
  UniqueFd done;    ///< closed when they are there

  void run() {
    addrinfo* found = nullptr;
    const int result = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
    const std::lock_guard lock(mutex);
    code = result;
    list.reset(found);
  }
};

[[noreturn]] void unknown_name(const Lookup& lookup) {
  const bool temporary = lookup.code == EAI_AGAIN;
  throw ConnectFailure(ErrorKind::unreachable,
                       "the name '" + lookup.host + "' cannot be resolved (" +
                           gai_strerror(lookup.code) + "); check hostname in the plan, or DNS",
                       temporary ? Nature::temporary : Nature::lasting);
}

/// A look-up cannot be told to stop: nobody waits for its thread.
void look_up_alone(const std::shared_ptr<Lookup>& lookup) {
  try {
    start_thread("looking up names", [lookup] {
      lookup->run();
      lookup->done.reset();
    }).detach();
  } catch (const Error& error) { // others may end in a moment
    throw ConnectFailure(error.kind(), error.message(), Nature::temporary);
  }
}

AddressList look_up(const TcpConnectOptions& options, const Wait& wait) {
  auto lookup = std::make_shared<Lookup>();
  lookup->host = options.host;
  lookup->port = std::to_string(options.port);
  lookup->hints.ai_family = family_of(options.family);
  lookup->hints.ai_socktype = SOCK_STREAM;
  lookup->hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  lookup->run();
  if (lookup->code == 0)
    return std::move(lookup->list);
  lookup->hints.ai_flags = AI_NUMERICSERV;
  auto [ended, done] = make_pipe();
  lookup->done = std::move(done);
  look_up_alone(lookup);
  const auto ready = wait_readable(ended.get(), wait);
  if (ready == Ready::cancelled)
    throw Error(ErrorKind::cancelled, "cancelled");
  if (ready == Ready::deadline)
    throw ConnectFailure(ErrorKind::unreachable,
                         "the name '" + options.host + "' was not resolved in time; check DNS",
                         Nature::lasting);
  const std::lock_guard lock(lookup->mutex);
  if (lookup->code != 0)
    unknown_name(*lookup);
  return std::move(lookup->list);
}

/// The sockets that are trying, and why others failed.
class Attempts {
public:
  explicit Attempts(const AddressList& list) : next_(list.get()) {}

  bool more() const { return next_ != nullptr; }
  bool trying() const { return !sockets_.empty(); }

  void start_next() {
    const auto& address = *next_;
    next_ = next_->ai_next;
    UniqueFd fd(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
      error_ = errno;
    else if (connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0 || errno == EINPROGRESS)
      sockets_.push_back(std::move(fd));
    else
      error_ = errno;
  }

  /// The first that is connected; an empty fd where none is yet.
  UniqueFd wait_once(const Wait& wait, Duration most) {
    std::vector<pollfd> fds;
    for (const auto& fd : sockets_)
      fds.push_back({fd.get(), POLLOUT, 0});
    fds.push_back({wait.cancel.poll_fd(), POLLIN, 0});
    const Wait until = more() ? wait.within(most) : wait;
    poll(fds.data(), fds.size(), until.poll_milliseconds());
    wait.cancel.throw_if_cancelled();
    for (std::size_t i = fds.size() - 1; i-- > 0;) {
      if (fds[i].revents == 0)
        continue;
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(fds[i].fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error == 0)
        return std::move(sockets_[i]);
      error_ = error;
      sockets_.erase(sockets_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return {};
  }

  [[noreturn]] void fail() const {
    switch (error_) {
    case ECONNREFUSED:
      throw ConnectFailure(ErrorKind::unreachable,
                           "connection refused: nothing listens there; is sshd running, and is "
                           "this its port?",
                           Nature::temporary);
    case ECONNRESET:
      throw ConnectFailure(ErrorKind::unreachable, "connection reset", Nature::temporary);
    case EHOSTUNREACH:
    case ENETUNREACH:
      throw ConnectFailure(ErrorKind::unreachable,
                           std::string("no route to it (") + std::strerror(error_) +
                               "); is the host up and this network the right one?",
                           Nature::lasting);
    default:
      throw ConnectFailure(ErrorKind::unreachable, std::strerror(error_), Nature::lasting);
    }
  }

private:
  const addrinfo* next_;
  std::vector<UniqueFd> sockets_;
  int error_ = EHOSTUNREACH;
};

} // namespace

UniqueFd tcp_connect(const TcpConnectOptions& options, const Wait& wait) {
  const auto list = look_up(options, wait);
  Attempts attempts(list);
  const Instant begin = BootClock::now();
  while (attempts.more() || attempts.trying()) {
    if (attempts.more())
      attempts.start_next();
    if (!attempts.trying())
      continue;
    if (auto fd = attempts.wait_once(wait, next_address_after)) {
      const int on = 1;
      setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      return fd;
    }
    if (wait.expired())
      throw ConnectFailure(ErrorKind::unreachable,
                           "no answer within " +
                               std::to_string((BootClock::now() - begin).count()) +
                               " ms; is the host up, and does a firewall drop port " +
                               std::to_string(options.port) + "?",
                           Nature::lasting);
  }
  attempts.fail();
}

} // namespace belay::ssh
