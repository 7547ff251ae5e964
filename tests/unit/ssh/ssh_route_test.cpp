// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"
#include "tests/unit/ssh/test_sshd.h"

#include <sys/socket.h>

using namespace std::chrono_literals;
using belay::ErrorKind;
using belay::Wait;
using belay::ssh::HostAddress;
using belay::ssh::Notice;
using belay::ssh::Purpose;
using belay::ssh::SshOptions;
using belay::ssh::TransportChoice;
using belay::ssh::test::error_of;
using belay::ssh::test::holds;
using belay::ssh::test::must_run;
using belay::ssh::test::read_to_end;
using belay::ssh::test::TestSshd;
using belay::ssh::test::TestTransport;

namespace {

// A host that is reached over jump hosts, all in one ssh_config of the test's.
class Network {
public:
  Network() : directory_("/tmp/belay-test-route.") {
    add("web", web);
    add("bastion", bastion);
    add("outer", outer);
  }
  // For `host`, before what it has by itself.
  void say(const std::string& host, const std::string& line) {
    text_ = "Host " + host + "\n  " + line + "\n" + text_;
    belay::replace_file(file(), text_);
  }
  std::string file() const { return (directory_.path() / "config").string(); }
  std::filesystem::path path(const char* name) const { return directory_.path() / name; }

  std::unique_ptr<belay::ssh::Session> connect(Purpose purpose = Purpose::work,
                                               const Wait& wait = TestTransport::limit()) {
    return client.connect({"web-1", "web", "", {"-F", file()}, {}}, purpose, {}, wait);
  }
  std::string run(const std::string& host, const std::string& command) {
    return must_run({"ssh", "-F", file(), "-o", "BatchMode=yes", host, command});
  }

  TestSshd web, bastion, outer;
  std::vector<std::string> notices;
  TestTransport client{SshOptions{.max_attempts = 2,
                                  .on_notice =
                                      [this](const Notice& notice) {
                                        notices.push_back(notice.node + ": " + notice.message);
                                      }},
                       TransportChoice::automatic};

private:
  void add(const std::string& name, const TestSshd& sshd) {
    const auto known = sshd.directory() / "known_hosts";
    belay::replace_file(known, "* " + sshd.host_key() + "\n");
    say(name, "HostName 127.0.0.1\n  Port " + std::to_string(sshd.port()) + "\n  IdentityFile " +
                  sshd.user_key() + "\n  IdentityAgent none\n  UserKnownHostsFile " +
                  known.string() + "\n  GlobalKnownHostsFile /dev/null");
  }
  belay::TemporaryDirectory directory_;
  std::string text_;
};

} // namespace

TEST_CASE("a host behind jump hosts is reached by the ssh program, which is said once") {
  Network network;
  SECTION("one") {
    network.say("web", "ProxyJump bastion");
  }
  SECTION("one that has one of its own") {
    network.say("web", "ProxyJump bastion");
    network.say("bastion", "ProxyJump outer");
  }
  SECTION("a list") {
    network.say("web", "ProxyJump outer,127.0.0.1:" + std::to_string(network.bastion.port()));
    network.say("127.0.0.1", "IdentityFile " + network.bastion.user_key() +
                                 "\n  UserKnownHostsFile " +
                                 (network.bastion.directory() / "known_hosts").string());
  }
  const auto session = network.connect();
  CHECK(session->path() == "proxy-jump");
  CHECK(read_to_end(*session->exec("echo here", TestTransport::limit())) == "here\n");
  CHECK(network.connect(Purpose::confirm)->path() == "proxy-jump");
  REQUIRE(network.notices.size() == 1);
  CHECK(network.notices[0].starts_with("web-1: "));
  CHECK(holds(network.notices[0], "proxyjump"));
}

TEST_CASE("a confirmation rides on no connection that somebody keeps") {
  Network network;
  network.say("*", "ControlMaster auto\n  ControlPath " + network.path("%n").string() +
                       "\n  ControlPersist 60");
  network.say("web", "ProxyJump bastion");
  CHECK(network.run("web", "echo kept") == "kept\n"); // the user's masters, on both hosts
  REQUIRE(std::filesystem::exists(network.path("bastion")));
  const auto work = network.connect();
  network.connect(Purpose::confirm);
  network.bastion.stop_listening();
  CHECK(network.run("web", "echo still kept") == "still kept\n");
  CHECK(work->exec("true", TestTransport::limit())->close(TestTransport::limit()).succeeded());
  const auto error = error_of([&] { network.connect(Purpose::confirm); });
  INFO(error.message());
  CHECK(error.kind() == ErrorKind::unreachable);
  CHECK(error.message().starts_with("web-1 ("));
  CHECK(holds(error.message(), "jump host bastion"));
  CHECK(holds(error.message(), "refused"));
  for (const char* host : {"web", "bastion"})
    must_run({"ssh", "-F", network.file(), "-O", "exit", host});
}

TEST_CASE("a ProxyCommand runs as it is, and is named") {
  Network network;
  SECTION("that works") {
    network.say("web", "ProxyCommand ssh -F " + network.file() + " -W [%h]:%p bastion");
    CHECK(network.connect()->path() == "proxy-command");
  }
  SECTION("before a jump host") {
    network.say("web", "ProxyJump bastion");
    network.say("bastion", "ProxyCommand ssh -F " + network.file() + " -W [%h]:%p outer");
    CHECK(network.connect()->path() == "proxy-command");
  }
  SECTION("that fails") {
    network.say("web", "ProxyCommand sh -c 'echo out of order >&2; exit 1'");
    const auto error = error_of([&] { network.connect(); });
    INFO(error.message());
    CHECK(error.kind() == ErrorKind::unreachable);
    CHECK(holds(error.message(), "ProxyCommand 'sh -c"));
    CHECK(holds(error.message(), "which said: out of order"));
  }
}

TEST_CASE("what goes wrong at a jump host is said of it") {
  Network network;
  network.say("web", "ProxyJump bastion");
  ErrorKind expected = ErrorKind::unreachable;
  std::string said = "jump host bastion (";
  SECTION("its key") {
    belay::replace_file(network.bastion.directory() / "known_hosts",
                        "* " + network.outer.host_key() + "\n");
    expected = ErrorKind::host_key_mismatch;
  }
  SECTION("its login") {
    network.say("bastion", "IdentityFile " + network.web.user_key() + "\n  IdentitiesOnly yes");
    belay::replace_file(network.bastion.directory() / "authorized_keys", "");
    expected = ErrorKind::authentication_failed;
  }
  SECTION("what lies behind it") {
    network.web.stop();
    said += "root@127.0.0.1:" + std::to_string(network.bastion.port()) +
            "): it cannot reach the next host";
    if (getuid() != 0)
      said = "it cannot reach the next host";
  }
  const auto error = error_of([&] { network.connect(); });
  INFO(error.message());
  CHECK(error.kind() == expected);
  CHECK(holds(error.message(), said));
}

TEST_CASE("jump hosts in a circle are a mistake in the configuration") {
  Network network;
  network.say("web", "ProxyJump bastion");
  network.say("bastion", "ProxyJump outer");
  network.say("outer", "ProxyJump bastion");
  CHECK(error_of([&] { network.connect(); }).kind() == ErrorKind::invalid_plan);
}

TEST_CASE("a jump host whose key changes during the run is refused, whatever is configured") {
  Network network;
  network.say("web", "ProxyJump bastion");
  network.say("bastion", "StrictHostKeyChecking no");
  if (GENERATE(true, false)) { // else only what was seen in this run speaks against it
    network.say("bastion", "UserKnownHostsFile /dev/null");
  }
  network.connect();
  network.bastion.change_host_keys();
  const auto error = error_of([&] { network.connect(Purpose::confirm); });
  INFO(error.message());
  CHECK(error.kind() == ErrorKind::host_key_mismatch);
  CHECK(holds(error.message(), "jump host bastion"));
}

TEST_CASE("two hosts with one address are told apart by the way there") {
  Network network;
  std::string first, second;
  SECTION("jump hosts") {
    first = "ProxyJump bastion";
    second = "ProxyJump outer";
  }
  SECTION("a ProxyCommand that goes by the host's name") {
    first = second = "ProxyCommand ssh -F " + network.file() + " -W [%h]:%p bastion; : %n";
  }
  network.say("web", first);
  network.connect();
  network.web.change_host_keys(); // it is web-2 from now on
  network.say("web-2", "HostName 127.0.0.1\n  Port " + std::to_string(network.web.port()) +
                           "\n  IdentityFile " + network.web.user_key() +
                           "\n  IdentityAgent none\n  StrictHostKeyChecking accept-new" +
                           "\n  UserKnownHostsFile " + network.path("known").string() + "\n  " +
                           second);
  network.client.connect({"web-2", "web-2", "", {"-F", network.file()}, {}});
  belay::replace_file(network.web.directory() / "known_hosts",
                      "* " + network.web.host_key() + "\n");
  CHECK(error_of([&] { network.connect(); }).kind() == ErrorKind::host_key_mismatch);
}
