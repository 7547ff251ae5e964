// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/command_channel.h"
#include "tests/catch.h"
#include "tests/unit/ssh/test_sshd.h"

using namespace std::chrono_literals;
using belay::ErrorKind;
using belay::Wait;
using belay::ssh::TransportChoice;
using belay::ssh::test::error_of;
using belay::ssh::test::read_to_end;
using belay::ssh::test::TestSshd;
using belay::ssh::test::TestTransport;

namespace {
Wait limit() {
  return TestTransport::limit();
}
} // namespace

TEST_CASE("a command's output, error output and status come back") {
  TestSshd sshd;
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const auto session = client.connect(sshd.address());
  CHECK(session->path() == "direct");
  const auto channel = session->exec("echo out; echo err >&2; exit 3", limit());
  CHECK(read_to_end(*channel) == "out\n");
  const auto end = channel->close(limit());
  CHECK(end.clean);
  CHECK(end.exit_status == 3);
  CHECK(end.exit_signal.empty());
  CHECK(end.stderr_tail == "err\n");
  CHECK_FALSE(end.succeeded());
  CHECK(end.describe() == "exited with 3: err");
}

TEST_CASE("input goes in until its end, also a lot of it") {
  TestSshd sshd;
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const auto session = client.connect(sshd.address());
  const auto channel = session->exec("cksum", limit());
  const std::string chunk(1024 * 1024, 'x');
  for (int i = 0; i < 20; ++i)
    channel->write(chunk, limit());
  channel->send_eof(limit());
  CHECK(read_to_end(*channel).find(" 20971520") != std::string::npos);
  CHECK(channel->close(limit()).succeeded());
}

TEST_CASE("big output arrives whole, and only the last of a long error output is kept") {
  TestSshd sshd;
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const auto session = client.connect(sshd.address());
  const auto channel = session->exec(
      "head -c 5000000 /dev/zero >&2; echo last >&2; head -c 30000000 /dev/zero", limit());
  CHECK(read_to_end(*channel).size() == 30000000);
  const auto end = channel->close(limit());
  CHECK(end.succeeded());
  CHECK(end.stderr_tail.size() == 4096);
  CHECK(end.stderr_tail.ends_with("last\n"));
}

TEST_CASE("what a command says on stderr can be waited for") {
  TestSshd sshd;
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const auto session = client.connect(sshd.address());
  // Output first, so that a question on stderr does not hide it; then an answer, then its end.
  const auto channel = session->exec("echo noise; head -c 5000 /dev/zero >&2; printf ask: >&2; "
                                     "read answer; echo got $answer; echo ask: >&2",
                                     limit());
  std::string out;
  const auto until_stderr = [&](std::uint64_t seen) {
    char byte = 0;
    for (;;) {
      const auto count = channel->read_or_stderr(&byte, 1, seen, limit());
      if (!count || *count == 0)
        return count.has_value();
      out += byte;
    }
  };
  while (!channel->stderr_tail().ends_with("ask:"))
    REQUIRE_FALSE(until_stderr(channel->stderr_bytes()));
  CHECK(channel->stderr_bytes() == 5004);
  CHECK(out == "noise\n");
  char byte = 0;
  CHECK(error_of([&] { channel->read_or_stderr(&byte, 1, 5004, Wait::at_most(50ms)); }).kind() ==
        ErrorKind::deadline_exceeded);
  channel->write("42\n", limit());
  while (!until_stderr(channel->stderr_bytes())) {
  }
  CHECK(out == "noise\ngot 42\n");
  CHECK(channel->close(limit()).stderr_tail.ends_with("ask:ask:\n"));
}

TEST_CASE("a killed command is no success") {
  TestSshd sshd;
  const auto way = GENERATE(TransportChoice::libssh2, TransportChoice::openssh);
  const bool told = way == TransportChoice::libssh2; // the ssh program does not say which signal
  TestTransport client(way);
  const auto session = client.connect(sshd.address());
  const auto end = session->exec("kill -KILL $$", limit())->close(limit());
  CHECK(end.clean);
  CHECK(end.exit_signal == (told ? "KILL" : belay::ssh::ChannelEnd::unknown_signal));
  CHECK_FALSE(end.exit_status);
  CHECK_FALSE(end.succeeded());
  CHECK(end.describe() == (told ? "was killed by SIGKILL" : "was killed by a signal"));
}

TEST_CASE("one session runs many commands, also several at a time") {
  TestSshd sshd;
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const auto session = client.connect(sshd.address());
  const auto first = session->exec("cat", limit());
  for (int i = 0; i < 15; ++i) // more than MaxSessions: each is given back
    CHECK(session->exec("true", limit())->close(limit()).succeeded());
  const auto second = session->exec("head -c 3000000 /dev/zero", limit());
  first->write("hello\n", limit());
  first->send_eof(limit());
  CHECK(read_to_end(*first) == "hello\n");
  CHECK(read_to_end(*second).size() == 3000000);
}

TEST_CASE("what came in while another command was read is not waited for") {
  TestSshd sshd;
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const auto session = client.connect(sshd.address());
  const auto first =
      dynamic_cast<belay::ssh::CommandChannel&>(*session->exec("read go; echo first", limit()))
          .release();
  const auto second = session->exec("read go; sleep 0.2; echo second", limit());
  std::array<char, 100> buffer{};
  REQUIRE_FALSE(first->try_read(buffer.data(), buffer.size()));
  REQUIRE(first->try_write("go\n") == 3);
  REQUIRE_FALSE(first->try_read(buffer.data(), buffer.size()));
  second->write("go\n", limit());
  CHECK(read_to_end(*second) == "second\n");
  CHECK(second->close(limit()).succeeded()); // no more of it comes
  // It returns also for what is no output, and the first command may be slow.
  const auto wait = Wait::at_most(std::chrono::seconds(5));
  std::optional<std::size_t> count;
  while (!count) {
    first->await({.output = true}, wait, "reading");
    count = first->try_read(buffer.data(), buffer.size());
  }
  CHECK(count == 6);
}

TEST_CASE("channels that are dropped with their command running give their place back") {
  TestSshd sshd;
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const auto session = client.connect(sshd.address());
  for (int i = 0; i < 15; ++i)
    session->exec("cat", limit());
  CHECK(session->exec("true", limit())->close(limit()).succeeded());
}

TEST_CASE("a read has a deadline and can be cancelled") {
  TestSshd sshd;
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const auto session = client.connect(sshd.address());
  const auto channel = session->exec("cat", limit());
  char byte = 0;
  CHECK(error_of([&] { channel->read(&byte, 1, Wait::at_most(50ms)); }).kind() ==
        ErrorKind::deadline_exceeded);
  belay::CancelSource source;
  source.cancel();
  CHECK(error_of([&] { channel->read(&byte, 1, Wait::at_most(30s, source.token())); }).kind() ==
        ErrorKind::cancelled);
  channel->write("still usable\n", limit());
  channel->send_eof(limit());
  CHECK(read_to_end(*channel) == "still usable\n");
}

TEST_CASE("a session that is killed is a lost connection, and what came before it is not lost") {
  TestSshd sshd;
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const auto session = client.connect(sshd.address());
  const auto channel = session->exec("echo ready; cat", limit());
  char first = 0;
  REQUIRE(channel->read(&first, 1, limit()) == 1);
  sshd.kill_sessions();
  std::string rest;
  const auto error = error_of([&] {
    for (char byte = 0; channel->read(&byte, 1, limit()) == 1;)
      rest += byte;
  });
  CHECK(error.kind() == ErrorKind::unreachable);
  CHECK(error.message().find("web-1") == 0);
  CHECK(rest == "eady\n");
  CHECK_FALSE(channel->close(limit()).clean);
  CHECK(error_of([&] { session->exec("true", limit()); }).kind() == ErrorKind::unreachable);
}

TEST_CASE("sshd may ask for new keys in the middle of much data") {
  TestSshd sshd({.lines = {"RekeyLimit 1M"}});
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const auto session = client.connect(sshd.address());
  const auto out = session->exec("head -c 20000000 /dev/zero", limit());
  CHECK(read_to_end(*out).size() == 20000000);
  const auto in = session->exec("wc -c", limit());
  in->write(std::string(20000000, 'x'), limit());
  in->send_eof(limit());
  CHECK(read_to_end(*in) == "20000000\n");
}

TEST_CASE("a login that may run one command at a time says so") {
  TestSshd sshd({.lines = {"MaxSessions 1"}});
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const auto session = client.connect(sshd.address());
  const auto channel = session->exec("cat", limit());
  const auto error = error_of([&] { session->exec("true", limit()); });
  CHECK(error.kind() == ErrorKind::transport_unsupported);
  CHECK(error.message().find("MaxSessions") != std::string::npos);
  channel->write("x", limit());
  channel->send_eof(limit());
  CHECK(read_to_end(*channel) == "x");
}
