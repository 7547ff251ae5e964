// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"
#include "tests/unit/ssh/test_sshd.h"

#include <atomic>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace std::chrono_literals;
using belay::ErrorKind;
using belay::Wait;
using belay::ssh::Purpose;
using belay::ssh::TransportChoice;
using belay::ssh::test::error_of;
using belay::ssh::test::listen_anywhere;
using belay::ssh::test::process_with;
using belay::ssh::test::TestSshd;
using belay::ssh::test::TestTransport;
using belay::ssh::test::wait_until_no_process_with;

namespace {

// As ssh's command line has it.
std::string port_option(std::uint16_t port) {
  return std::string("-p\0", 3) + std::to_string(port);
}

} // namespace

TEST_CASE("a session leaves no ssh behind") {
  TestSshd sshd;
  TestTransport client(TransportChoice::openssh);
  auto session = client.connect(sshd.address());
  auto channel = session->exec("cat", TestTransport::limit());
  CHECK(process_with(port_option(sshd.port())));
  session.reset();
  channel->write("still mine\n", TestTransport::limit()); // the channel keeps the connection
  char first = 0;
  CHECK(channel->read(&first, 1, TestTransport::limit()) == 1);
  SECTION("with its command running") {}
  SECTION("frozen") {
    sshd.freeze_sessions();
  }
  SECTION("lost") {
    sshd.kill_sessions();
  }
  channel.reset();
  CHECK(wait_until_no_process_with(port_option(sshd.port())));
}

TEST_CASE("a login that is cancelled or late leaves no ssh behind") {
  auto [listener, port] = listen_anywhere();
  TestTransport client(TransportChoice::openssh);
  auto address = belay::ssh::HostAddress{
      "web-1", "127.0.0.1:" + std::to_string(port), "deploy", {"-F", "/dev/null"}, {}};
  belay::Error error(ErrorKind::internal, "");
  SECTION("cancelled") {
    belay::CancelSource source;
    std::thread thread([&] {
      error = error_of(
          [&] { client.connect(address, Purpose::work, {}, Wait::at_most(20s, source.token())); });
    });
    const belay::UniqueFd silent(accept(listener.get(), nullptr, nullptr)); // it waits now
    source.cancel();
    thread.join();
    CHECK(error.kind() == ErrorKind::cancelled);
  }
  SECTION("late, behind a proxy") {
    address.ssh_opts.insert(address.ssh_opts.end(), {"-o", "ProxyCommand=sleep 1000; :"});
    error = error_of([&] { client.connect(address, Purpose::work, {}, Wait::at_most(500ms)); });
    CHECK(error.kind() == ErrorKind::unreachable);
  }
  CHECK(wait_until_no_process_with(port_option(port)));
}

TEST_CASE("a runner that dies leaves an ssh that ends by itself") {
  TestSshd sshd;
  auto [told, tell] = belay::make_pipe();
  const pid_t runner = fork();
  if (runner == 0) {
    TestTransport client(TransportChoice::openssh);
    const auto session = client.connect(sshd.address());
    belay::write_all(tell.get(), "connected");
    raise(SIGKILL);
  }
  tell.reset();
  char byte = 0;
  CHECK(read(told.get(), &byte, 1) == 1);
  waitpid(runner, nullptr, 0);
  CHECK(wait_until_no_process_with(port_option(sshd.port()), 30s));
}

TEST_CASE("a command's 255 is its own, and no lost connection") {
  TestSshd sshd;
  TestTransport client(TransportChoice::openssh);
  const auto session = client.connect(sshd.address());
  const auto end = session->exec("echo Connection closed >&2; exit 255", TestTransport::limit())
                       ->close(TestTransport::limit());
  CHECK(end.clean);
  CHECK(end.exit_status == 255);
  CHECK(end.stderr_tail == "Connection closed\n");
}
