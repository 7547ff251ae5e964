// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/ssh_agent.h"

#include "engine/base/error.h"
#include "engine/ssh/wire.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <sys/socket.h>
#include <sys/un.h>

namespace belay::ssh {
namespace {

constexpr char request_identities = 11;
constexpr std::uint8_t identities_answer = 12;
constexpr char sign_request = 13;
constexpr std::uint8_t sign_response = 14;
constexpr std::uint32_t rsa_sha2_256 = 2; // flags of a sign request
constexpr std::uint32_t rsa_sha2_512 = 4;
constexpr std::size_t answer_cap = 256 * 1024; // OpenSSH's own limit

std::uint32_t flags_for(const std::string& algorithm) {
  if (algorithm == "rsa-sha2-512")
    return rsa_sha2_512;
  return algorithm == "rsa-sha2-256" ? rsa_sha2_256 : 0;
}

} // namespace

SshAgent::SshAgent(const std::string& socket_path)
    : socket_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const bool fits = socket_path.size() < sizeof address.sun_path;
  socket_path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (!socket_ || !fits ||
      connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw Error(ErrorKind::secret, "the ssh-agent at " + socket_path + " does not answer");
}

void SshAgent::send_all(std::string_view text, const Wait& wait) {
  while (!text.empty()) {
    require_writable(socket_.get(), wait, "asking the ssh-agent");
    const auto count = send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN && errno != EINTR)
      throw Error(ErrorKind::secret, "the ssh-agent hung up");
    text.remove_prefix(count > 0 ? static_cast<std::size_t>(count) : 0);
  }
}

std::string SshAgent::receive(std::size_t size, const Wait& wait) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (text.size() < size) {
    require_readable(socket_.get(), wait, "waiting for the ssh-agent");
    const auto room = std::min(buffer.size(), size - text.size());
    const auto count = recv(socket_.get(), buffer.data(), room, 0);
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
      throw Error(ErrorKind::secret, "the ssh-agent hung up");
    text.append(buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  }
  return text;
}

std::string SshAgent::ask(std::string_view request, const Wait& wait) {
  send_all(wire_string(request), wait);
  const auto head = receive(4, wait);
  const std::size_t size = WireReader(head).number();
  if (size > answer_cap)
    throw Error(ErrorKind::protocol, "the ssh-agent's answer is too long");
  return receive(size, wait);
}

std::vector<AgentKey> SshAgent::keys(const Wait& wait) {
  const auto answer = ask(std::string_view(&request_identities, 1), wait);
  WireReader reader(answer);
  std::vector<AgentKey> keys;
  if (reader.byte() != identities_answer)
    return keys;
  for (auto left = reader.number(); left > 0; --left) {
    std::string blob(reader.string());
    keys.push_back({std::move(blob), std::string(reader.string())});
  }
  return keys;
}

std::string SshAgent::sign(const std::string& blob, std::string_view data,
                           const std::string& algorithm, const Wait& wait) {
  const auto answer = ask(std::string(1, sign_request) + wire_string(blob) + wire_string(data) +
                              wire_number(flags_for(algorithm)),
                          wait);
  WireReader reader(answer);
  if (reader.byte() != sign_response)
    throw Error(ErrorKind::secret, "the ssh-agent refuses to sign");
  WireReader signature(reader.string());
  if (const auto used = signature.string(); used != algorithm)
    throw Error(ErrorKind::secret, "the ssh-agent signs with " + std::string(used) +
                                       ", the server wants " + algorithm);
  return std::string(signature.string());
}

} // namespace belay::ssh
