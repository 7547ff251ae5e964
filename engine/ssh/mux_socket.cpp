// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/mux_socket.h"

#include "engine/base/error.h"
#include "engine/ssh/wire.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>

namespace belay::ssh {
namespace {

using Type = MuxMessage::Type;

constexpr std::uint32_t protocol_version = 4;
constexpr std::size_t packet_cap = 256 * 1024; // as OpenSSH's own

std::string packet_of(Type type, std::string_view body) {
  return wire_string(wire_number(static_cast<std::uint32_t>(type)) + std::string(body));
}

MuxMessage decode(std::string_view packet) {
  WireReader reader(packet);
  MuxMessage message;
  message.type = static_cast<Type>(reader.number());
  message.id = reader.number();
  switch (message.type) {
  case Type::failure:
  case Type::permission_denied:
    message.reason = reader.string();
    break;
  case Type::alive:
  case Type::exit_message:
  case Type::session_opened:
    message.value = reader.number();
    break;
  default:
    break;
  }
  return message;
}

[[noreturn]] void gone(const char* why) {
  throw Error(ErrorKind::unreachable, std::string("the control master is gone: ") + why);
}

} // namespace

MuxSocket::MuxSocket(const std::string& path, const Wait& wait)
    : socket_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (!socket_ ||
      connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    gone(std::strerror(errno));
  write_packet(packet_of(Type::hello, wire_number(protocol_version)));
  const auto hello = receive(wait, "greeting the control master");
  if (hello.type != Type::hello || hello.id != protocol_version)
    throw Error(ErrorKind::protocol, "this ssh's control master speaks another protocol version; "
                                     "OpenSSH since 5.4 speaks version 4");
}

void MuxSocket::send(Type type, std::uint32_t id, std::string_view body,
                     std::span<const int> descriptors) {
  write_packet(packet_of(type, wire_number(id) + std::string(body)));
  for (const int descriptor : descriptors)
    pass(descriptor);
}

// Requests are small beside the socket's buffer, and there is one at a time.
void MuxSocket::write_packet(std::string_view packet) {
  const auto count = ::send(socket_.get(), packet.data(), packet.size(), MSG_NOSIGNAL);
  if (count != static_cast<ssize_t>(packet.size()))
    gone(count < 0 ? std::strerror(errno) : "it takes no requests");
}

// A byte with each descriptor, as OpenSSH's client does it.
void MuxSocket::pass(int descriptor) {
  char byte = 0;
  iovec content{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  if (sendmsg(socket_.get(), &message, MSG_NOSIGNAL) != 1)
    gone(std::strerror(errno));
}

bool MuxSocket::fill() {
  std::array<char, 4096> buffer{};
  const auto count = recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count > 0)
    received_.append(buffer.data(), static_cast<std::size_t>(count));
  else if (count == 0 || (errno != EAGAIN && errno != EINTR))
    ended_ = true;
  return count > 0;
}

std::optional<MuxMessage> MuxSocket::try_receive() {
  for (;;) {
    if (received_.size() >= 4) {
      const std::size_t size = WireReader(received_).number();
      if (size > packet_cap)
        throw Error(ErrorKind::protocol, "the control master sent a packet that is too long");
      if (received_.size() >= 4 + size) {
        const auto message = decode(std::string_view(received_).substr(4, size));
        received_.erase(0, 4 + size);
        return message;
      }
    }
    if (ended_ || !fill())
      return std::nullopt;
  }
}

MuxMessage MuxSocket::receive(const Wait& wait, const char* what) {
  for (;;) {
    if (auto message = try_receive())
      return *message;
    if (ended_)
      gone(what);
    require_readable(fd(), wait, what);
  }
}

} // namespace belay::ssh
