// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/connection.h"
#include "engine/ssh/tcp_connect.h"
#include "tests/catch.h"
#include "tests/unit/ssh/test_sshd.h"

#include <poll.h>

using namespace std::chrono_literals;
using belay::Wait;
using belay::ssh::Connection;
using belay::ssh::test::TestSshd;

namespace {

Wait limit() {
  return Wait::at_most(30s);
}

void log_in(Connection& connection, const TestSshd& sshd) {
  auto* session = connection.raw();
  REQUIRE(connection.call([&] { return libssh2_session_handshake(session, connection.fd()); },
                          limit(), "exchanging keys") == 0);
  const auto user = sshd.address().user;
  const auto key = sshd.user_key();
  REQUIRE(connection.call(
              [&] {
                return libssh2_userauth_publickey_fromfile_ex(
                    session, user.data(), static_cast<unsigned>(user.size()),
                    (key + ".pub").c_str(), key.c_str(), nullptr);
              },
              limit(), "logging in") == 0);
}

LIBSSH2_CHANNEL* start(Connection& connection, std::string_view command) {
  LIBSSH2_CHANNEL* channel = nullptr;
  connection.call(
      [&] {
        channel = libssh2_channel_open_session(connection.raw());
        return channel ? 0 : connection.last_code();
      },
      limit(), "opening a channel");
  REQUIRE(channel);
  REQUIRE(connection.call(
              [&] {
                return libssh2_channel_process_startup(channel, "exec", 4, command.data(),
                                                       static_cast<unsigned>(command.size()));
              },
              limit(), "starting a command") == 0);
  return channel;
}

// Until sshd has said everything: at least `size` bytes.
void read_ahead_all(Connection& connection, std::uint64_t size) {
  const auto enough = connection.intake() + size;
  const auto wait = limit();
  pollfd socket{connection.fd(), POLLIN, 0};
  while (poll(&socket, 1, connection.intake() < enough ? wait.poll_milliseconds() : 300) > 0)
    connection.read_ahead();
}

} // namespace

// chacha20: libssh2 wants a whole packet at once, and where it has not, it leaves it at that,
// whether more lies there or not.
TEST_CASE("what was read ahead is not waited for") {
  TestSshd sshd({.lines = {"Ciphers chacha20-poly1305@openssh.com"}});
  Connection connection(
      belay::ssh::tcp_connect({.host = "127.0.0.1", .port = sshd.port()}, limit()), "web-1", {});
  log_in(connection, sshd);
  auto* channel = start(connection, "read go; head -c 50000 /dev/zero");
  REQUIRE(connection.call([&] { return libssh2_channel_write(channel, "go\n", 3); }, limit(),
                          "writing") == 3);
  read_ahead_all(connection, 50000);
  CHECK(connection.call([&] { return libssh2_channel_wait_eof(channel); }, Wait::at_most(5s),
                        "waiting for the end") == 0);
}
