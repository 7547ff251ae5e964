// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"
#include "tests/unit/ssh/test_sshd.h"

#include "engine/base/text.h"
#include "engine/ssh/store_failure.h"

#include <array>
#include <atomic>
#include <csignal>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

using namespace std::chrono_literals;
using belay::ErrorKind;
using belay::UniqueFd;
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

// A target whose `nix-daemon` is the script's.
class Target {
public:
  explicit Target(const std::string& script, std::vector<std::string> lines = {})
      : bin_("/tmp/belay-test-bin."), sshd_(options(bin_.path(), std::move(lines))) {
    std::filesystem::create_symlink("/bin/sh", bin_.path() / "sh"); // the only other program
    if (!script.empty())
      belay::replace_file(bin_.path() / "nix-daemon", "#!/bin/sh\n" + script + "\n",
                          {.mode = 0755});
    session = client_.connect(sshd_.address());
  }

  TestSshd& sshd() { return sshd_; }
  const std::filesystem::path& folder() const { return bin_.path(); }

private:
  static TestSshd::Options options(const std::filesystem::path& bin,
                                   std::vector<std::string> lines) {
    lines.push_back("SetEnv PATH=" + bin.string() + ":/tmp/belay-no-such-folder");
    return {.lines = std::move(lines)};
  }
  belay::TemporaryDirectory bin_;
  TestSshd sshd_;
  TestTransport client_{GENERATE(TransportChoice::libssh2, TransportChoice::openssh)};

public:
  std::unique_ptr<belay::ssh::Session> session;
};

// A script's own PATH: sshd's holds nothing but its folder.
const std::string with_path = "PATH=/usr/bin:/bin; ";

UniqueFd connect_to(const belay::ssh::StoreTunnel& tunnel) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  tunnel.store_uri().substr(7).copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

// Stops where the other side has gone.
void send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto count = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (count <= 0)
      return;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 64 * 1024> buffer{};
  for (ssize_t count = 0; (count = read(fd, buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(count));
  return text;
}

} // namespace

TEST_CASE("the tunnel's socket is short, private, and gone afterwards") {
  Target target(with_path + "cat");
  std::string path;
  {
    const auto tunnel = target.session->open_store_tunnel({}, limit());
    path = tunnel->store_uri().substr(7);
    CHECK(tunnel->store_uri().starts_with("unix:///tmp/b."));
    struct stat status {};
    REQUIRE(stat(std::filesystem::path(path).parent_path().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);
    CHECK_FALSE(tunnel->finish(limit())); // nobody connected
  }
  CHECK_FALSE(std::filesystem::exists(std::filesystem::path(path).parent_path()));
  CHECK(read_to_end(*target.session->exec("echo mine again", limit())) == "mine again\n");
}

TEST_CASE("connections one after the other, half-closed, are carried whole") {
  Target target(with_path + "[ \"$*\" = --stdio ] && cat");
  const auto tunnel = target.session->open_store_tunnel({}, limit());
  std::size_t sent = 0;
  for (const std::size_t size : {5UL, 3000000UL, 0UL, 70000UL}) {
    const auto fd = connect_to(*tunnel);
    const std::string text(size, 'a');
    std::thread writer([&] {
      send_all(fd.get(), text);
      shutdown(fd.get(), SHUT_WR);
    });
    CHECK(read_all(fd.get()).size() == size);
    writer.join();
    sent += size;
  }
  CHECK(tunnel->bytes_sent() == sent);
  const auto end = tunnel->finish(limit());
  REQUIRE(end);
  CHECK(end->succeeded());
}

TEST_CASE("several connections at once do not wait for each other") {
  Target target(with_path + "cat");
  const auto tunnel = target.session->open_store_tunnel({}, limit());
  const auto slow = connect_to(*tunnel);  // says nothing until the end
  const auto stuck = connect_to(*tunnel); // does not read what comes back
  std::thread writer([&] {
    send_all(stuck.get(), std::string(12000000, 'x')); // ends when the tunnel lets go
  });
  // More than the buffers on its way back hold: from here on it is stuck.
  for (const auto wait = limit(); tunnel->bytes_sent() < 2000000 && !wait.expired();)
    std::this_thread::yield();
  const auto quick = connect_to(*tunnel);
  send_all(quick.get(), "hello");
  shutdown(quick.get(), SHUT_WR);
  CHECK(read_all(quick.get()) == "hello");
  send_all(slow.get(), "at last");
  shutdown(slow.get(), SHUT_WR);
  CHECK(read_all(slow.get()) == "at last");
  CHECK_FALSE(tunnel->finish(Wait::at_most(100ms))->clean);
  shutdown(stuck.get(), SHUT_RDWR);
  writer.join();
  CHECK(read_to_end(*target.session->exec("echo mine again", limit())) == "mine again\n");
}

TEST_CASE("where sshd grants one channel, the connections take turns") {
  Target target(with_path + "cat", {"MaxSessions 1"});
  const auto tunnel = target.session->open_store_tunnel({}, limit());
  const auto first = connect_to(*tunnel);
  send_all(first.get(), "1");
  char byte = 0;
  REQUIRE(read(first.get(), &byte, 1) == 1);
  const auto second = connect_to(*tunnel);
  send_all(second.get(), "2");
  shutdown(second.get(), SHUT_WR);
  shutdown(first.get(), SHUT_WR);
  CHECK(read_all(first.get()).empty());
  CHECK(read_all(second.get()) == "2");
  CHECK(tunnel->finish(limit())->succeeded());
}

TEST_CASE("a target without nix-daemon says so in the channel's end") {
  Target target("");
  const auto tunnel = target.session->open_store_tunnel({}, limit());
  const auto fd = connect_to(*tunnel);
  CHECK(read_all(fd.get()).empty());
  const auto end = tunnel->finish(limit());
  REQUIRE(end);
  CHECK(end->clean);
  CHECK(end->exit_status == 127);
  CHECK(end->describe().find("nix-daemon") != std::string::npos);
  CHECK(belay::ssh::store_failure(*end).kind() == ErrorKind::nix_missing);
}

TEST_CASE("how the daemon died is told, with the end of its error output") {
  Target target(with_path + "echo 'disk is full' >&2; kill -9 $$");
  const auto tunnel = target.session->open_store_tunnel({}, limit());
  const auto fd = connect_to(*tunnel);
  CHECK(read_all(fd.get()).empty());
  const auto end = tunnel->finish(limit());
  REQUIRE(end);
  CHECK_FALSE(end->exit_signal.empty());
  CHECK(belay::ssh::store_failure(*end).kind() == ErrorKind::copy_failed);
  CHECK(end->stderr_tail.ends_with("disk is full\n"));
}

TEST_CASE("a lost connection ends the tunnel's connections and is said at its end") {
  Target target(with_path + "cat");
  const auto tunnel = target.session->open_store_tunnel({}, limit());
  const auto fd = connect_to(*tunnel);
  send_all(fd.get(), "x");
  char byte = 0;
  REQUIRE(read(fd.get(), &byte, 1) == 1);
  target.sshd().kill_sessions();
  CHECK(read_all(fd.get()).empty());
  const auto end = tunnel->finish(limit());
  REQUIRE(end);
  CHECK_FALSE(end->clean);
  CHECK(end->describe().find("connection lost") != std::string::npos);
  CHECK(belay::ssh::store_failure(*end).kind() == ErrorKind::unreachable);
  CHECK(error_of([&] { target.session->exec("true", limit()); }).kind() == ErrorKind::unreachable);
}

TEST_CASE("a daemon that does not end is left at the deadline") {
  Target target(with_path + "exec sleep 1000");
  const auto tunnel = target.session->open_store_tunnel({}, limit());
  const auto fd = connect_to(*tunnel);
  const auto end = tunnel->finish(Wait::at_most(100ms));
  CHECK((!end || !end->clean));
}

TEST_CASE("nix copies through the tunnel into the target's store") {
  belay::TemporaryDirectory stores("/tmp/belay-test-stores.");
  const auto here = (stores.path() / "here").string();
  const auto there = (stores.path() / "there").string();
  std::filesystem::create_directories(here);
  std::filesystem::create_directories(there);
  setenv("NIX_CONFIG",
         "experimental-features = nix-command flakes\nsandbox = false\nsubstituters =\n"
         "build-users-group =\n",
         1);
  Target target(with_path + "NIX_CONFIG='build-users-group =' NIX_REMOTE=" + there +
                " exec nix-daemon --stdio");
  belay::replace_file(stores.path() / "big", std::string(20000000, 'n'));
  using belay::ssh::test::must_run;
  const auto path = std::string(belay::trim(
      must_run({"nix-store", "--store", here, "--add", (stores.path() / "big").string()})));
  const auto tunnel = target.session->open_store_tunnel({}, limit());
  must_run({"nix", "store", "ping", "--store", tunnel->store_uri()});
  must_run({"nix", "copy", "--no-check-sigs", "--from", here, "--to", tunnel->store_uri(), path});
  CHECK(tunnel->bytes_sent() > 20000000);
  CHECK(tunnel->finish(limit())->clean);
  CHECK(std::filesystem::file_size(there + path) == 20000000);
  unsetenv("NIX_CONFIG");
}
