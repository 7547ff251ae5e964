// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"
#include "tests/thread_limit.h"
#include "tests/unit/ssh/test_sshd.h"

#include <atomic>
#include <sys/socket.h>
#include <unistd.h>

using namespace std::chrono_literals;
using belay::BootClock;
using belay::ErrorKind;
using belay::Wait;
using belay::ssh::HostAddress;
using belay::ssh::Purpose;
using belay::ssh::RetryNotice;
using belay::ssh::SshOptions;
using belay::ssh::TransportChoice;
using belay::ssh::test::error_of;
using belay::ssh::test::holds;
using belay::ssh::test::listen_anywhere;
using belay::ssh::test::TestSshd;
using belay::ssh::test::TestTransport;

namespace {

HostAddress address_of(const std::string& hostname) {
  return {"web-1", hostname, "deploy", {"-F", "/dev/null"}, {}};
}

HostAddress address_of(std::uint16_t port) {
  return address_of("127.0.0.1:" + std::to_string(port));
}

} // namespace

TEST_CASE("a port where nobody listens is tried again, then refused by name") {
  auto [listener, port] = listen_anywhere();
  listener.reset();
  TestTransport client(SshOptions{.max_attempts = 3},
                       GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  std::vector<RetryNotice> notices;
  const auto error = error_of([&, port = port] {
    client.connect(
        address_of(port), Purpose::work, [&](const RetryNotice& n) { notices.push_back(n); },
        TestTransport::limit());
  });
  CHECK(error.kind() == ErrorKind::unreachable);
  CHECK(error.message().starts_with("web-1 (deploy@127.0.0.1:" + std::to_string(port) + ")"));
  CHECK(holds(error.message(), "refused"));
  REQUIRE(notices.size() == 2);
  CHECK(notices[0].attempt == 2);
  CHECK(notices[1].attempt == 3);
  CHECK(notices[1].max == 3);
  CHECK(notices[0].delay >= 100ms);
}

TEST_CASE("a confirming login is attempted once: its caller has its own rhythm") {
  auto [listener, port] = listen_anywhere();
  listener.reset();
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  int notices = 0;
  CHECK(error_of([&, port = port] {
          client.connect(
              address_of(port), Purpose::confirm, [&](const RetryNotice&) { ++notices; },
              TestTransport::limit());
        }).kind() == ErrorKind::unreachable);
  CHECK(notices == 0);
}

TEST_CASE("an unknown name says so") {
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const auto error = error_of([&] { client.connect(address_of("no-such-host.invalid")); });
  CHECK(error.kind() == ErrorKind::unreachable);
  CHECK(holds(error.message(), "no-such-host.invalid"));
}

TEST_CASE("a name for whose look-up there is no thread is an error of that host") {
  TestTransport client;
  const auto error = error_of([&] {
    const belay::tests::ThreadLimit none(0);
    client.connect(address_of("no-such-host.invalid"), Purpose::confirm);
  });
  CHECK(error.kind() == ErrorKind::system);
  CHECK(error.message().starts_with("web-1 (deploy@no-such-host.invalid"));
  CHECK(holds(error.message(), "no thread can be had for looking up names"));
}

TEST_CASE("a host that accepts and says nothing costs the connect timeout") {
  const auto [listener, port] = listen_anywhere();
  TestTransport client(SshOptions{.connect_timeout = 200ms},
                       GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const auto begin = BootClock::now();
  const auto error = error_of([&, port = port] { client.connect(address_of(port)); });
  CHECK(error.kind() == ErrorKind::unreachable);
  CHECK(holds(error.message(), "exchanging keys"));
  CHECK(BootClock::now() - begin < 5s);
}

TEST_CASE("a confirming login gives a silent host a third of what remains") {
  const auto [listener, port] = listen_anywhere();
  const auto choice = GENERATE(TransportChoice::libssh2, TransportChoice::openssh);
  TestTransport client(choice);
  // ssh counts in whole seconds.
  const belay::Duration remains = choice == TransportChoice::libssh2 ? 900ms : 6s;
  const auto begin = BootClock::now();
  CHECK(error_of([&, port = port] {
          client.connect(address_of(port), Purpose::confirm, {}, Wait::at_most(remains));
        }).kind() == ErrorKind::unreachable);
  CHECK(BootClock::now() - begin < 8 * remains / 9);
}

TEST_CASE("a cancel ends a connect at once, wherever it waits") {
  auto [listener, port] = listen_anywhere();
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  belay::CancelSource source;
  const auto begin = BootClock::now();
  belay::Error error(ErrorKind::internal, "");
  std::atomic<bool> connected{false};
  std::thread thread([&, port = port] {
    error = error_of([&] {
      client.connect(
          address_of(port), Purpose::work, [&](const RetryNotice&) { connected = true; },
          Wait::at_most(20s, source.token()));
    });
  });
  const belay::UniqueFd silent(accept(listener.get(), nullptr, nullptr)); // it is waiting now
  source.cancel();
  thread.join();
  CHECK(error.kind() == ErrorKind::cancelled);
  CHECK(BootClock::now() - begin < 10s);
}

TEST_CASE("a host that hangs up at once is tried again") {
  auto [listener, port] = listen_anywhere();
  std::thread server([fd = listener.get()] {
    for (int i = 0; i < 2; ++i)
      close(accept(fd, nullptr, nullptr));
  });
  TestTransport client(SshOptions{.max_attempts = 2},
                       GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  int notices = 0;
  const auto error = error_of([&, port = port] {
    client.connect(
        address_of(port), Purpose::work, [&](const RetryNotice&) { ++notices; },
        TestTransport::limit());
  });
  server.join();
  CHECK(error.kind() == ErrorKind::unreachable);
  CHECK(holds(error.message(), "MaxStartups"));
  CHECK(notices == 1);
}

TEST_CASE("sixteen logins at once get through an sshd that turns many away") {
  TestSshd sshd({.lines = {"MaxStartups 2:60:6"}});
  TestTransport client(SshOptions{.max_attempts = 12},
                       GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  std::atomic<int> done{0};
  std::atomic<int> retries{0};
  std::vector<std::thread> threads;
  std::vector<std::string> errors(16);
  for (std::size_t i = 0; i < 16; ++i)
    threads.emplace_back([&, i] {
      try {
        const auto session = client.connect(
            sshd.address(), Purpose::work, [&](const RetryNotice&) { ++retries; },
            Wait::at_most(60s));
        done += session->exec("true", Wait::at_most(30s))->close(Wait::at_most(30s)).succeeded();
      } catch (const belay::Error& error) {
        errors[i] = error.message();
      }
    });
  for (auto& thread : threads)
    thread.join();
  for (const auto& error : errors)
    CHECK(error.empty());
  CHECK(done == 16);
  CHECK(retries > 0); // or the test would say nothing
}

TEST_CASE("sixteen logins at once to a default sshd") {
  TestSshd sshd;
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  std::atomic<int> done{0};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 16; ++i)
    threads.emplace_back([&] {
      try {
        client.connect(sshd.address());
        ++done;
      } catch (const belay::Error&) {
        // counted by its absence
      }
    });
  for (auto& thread : threads)
    thread.join();
  CHECK(done == 16);
}

TEST_CASE("the gate lets in so many, then one for each that leaves, and never blocks a cancel") {
  belay::ssh::HandshakeGate gate(2, 1);
  auto first = std::make_optional(gate.enter("h", TestTransport::limit()));
  const auto second = gate.enter("h", TestTransport::limit());
  const auto elsewhere = gate.enter("other", TestTransport::limit());
  CHECK(error_of([&] { gate.enter("h", Wait::at_most(20ms)); }).kind() == ErrorKind::unreachable);
  belay::CancelSource source;
  source.cancel();
  CHECK(error_of([&] { gate.enter("h", Wait::at_most(20s, source.token())); }).kind() ==
        ErrorKind::cancelled);
  std::atomic<bool> inside{false};
  std::thread third([&] {
    const auto place = gate.enter("h", TestTransport::limit());
    inside = true;
  });
  CHECK_FALSE(inside);
  first.reset();
  third.join();
  CHECK(inside);
}

TEST_CASE("a server with encrypt-then-mac alone, as NixOS sets it, is no trouble") {
  TestSshd sshd({.lines = {"MACs hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com",
                           "Ciphers aes256-ctr"}});
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  client.connect(sshd.address());
}

TEST_CASE("every usual cipher and key exchange connects") {
  const auto line = GENERATE(values<std::string>(
      {"Ciphers chacha20-poly1305@openssh.com", "Ciphers aes256-gcm@openssh.com",
       "Ciphers aes128-gcm@openssh.com", "Ciphers aes128-ctr", "KexAlgorithms ecdh-sha2-nistp256",
       "KexAlgorithms diffie-hellman-group16-sha512", "KexAlgorithms curve25519-sha256"}));
  TestSshd sshd({.lines = {line}});
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const auto session = client.connect(sshd.address());
  const auto channel = session->exec("head -c 3000000 /dev/zero", TestTransport::limit());
  CHECK(belay::ssh::test::read_to_end(*channel).size() == 3000000);
}

TEST_CASE("a key exchange without a common method names it and is not tried again") {
  struct Row {
    const char* line;
    const char* named;
  };
  const auto row = GENERATE(
      values<Row>({{"KexAlgorithms sntrup761x25519-sha512@openssh.com", "sntrup761x25519"},
                   {"MACs umac-64@openssh.com\nCiphers aes128-ctr", "umac-64@openssh.com"}}));
  TestSshd sshd({.lines = {row.line}});
  TestTransport client;
  int notices = 0;
  const auto error = error_of([&] {
    client.connect(
        sshd.address(), Purpose::work, [&](const RetryNotice&) { ++notices; },
        TestTransport::limit());
  });
  CHECK(error.kind() == ErrorKind::transport_unsupported);
  CHECK(holds(error.message(), row.named));
  CHECK(notices == 0);
}

TEST_CASE("ssh_config that this transport cannot follow is refused before anything is tried") {
  TestTransport client;
  auto address = address_of("127.0.0.1:1");
  address.ssh_opts.insert(address.ssh_opts.end(), {"-J", "bastion"});
  const auto error = error_of([&] { client.connect(address); });
  CHECK(error.kind() == ErrorKind::transport_unsupported);
  CHECK(holds(error.message(), "proxyjump bastion"));
}

TEST_CASE("a silent connection is kept alive while it is answered, and given up when not") {
  TestSshd sshd;
  TestTransport client(SshOptions{.keep_alive = {2s, 1}},
                       GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const auto session = client.connect(sshd.address());
  const auto channel = session->exec("echo ready; sleep 2.5; echo done", TestTransport::limit());
  CHECK(belay::ssh::test::read_to_end(*channel) == "ready\ndone\n");
  const auto stuck = session->exec("cat", TestTransport::limit());
  sshd.freeze_sessions();
  char byte = 0;
  const auto error = error_of([&] { stuck->read(&byte, 1, TestTransport::limit()); });
  CHECK(error.kind() == ErrorKind::unreachable);
  const bool by_ssh = client.choice == TransportChoice::openssh;
  CHECK(holds(error.message(), by_ssh ? "not responding" : "keep-alive"));
}
