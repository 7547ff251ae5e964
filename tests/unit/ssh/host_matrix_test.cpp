// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"
#include "tests/unit/ssh/test_sshd.h"

#include <csignal>
#include <fstream>
#include <sys/stat.h>

using belay::ErrorKind;
using belay::ssh::HostAddress;
using belay::ssh::Notice;
using belay::ssh::SshOptions;
using belay::ssh::TransportChoice;
using belay::ssh::test::error_of;
using belay::ssh::test::holds;
using belay::ssh::test::must_run;
using belay::ssh::test::TestSshd;
using belay::ssh::test::TestTransport;

// Hosts and logins of the kinds that people have, with libssh2 and ssh alike where both can, and
// with `auto` where only one of them can.

namespace {

struct AutoClient {
  std::vector<std::string> notices;
  TestTransport transport{SshOptions{.on_notice =
                                         [this](const Notice& notice) {
                                           CHECK(notice.level == Notice::Level::info);
                                           notices.push_back(notice.message);
                                         }},
                          TransportChoice::automatic};
};

// A file that only the sshd's directory has; a certificate lies beside it as ssh-keygen names it.
std::string make_key(const TestSshd& sshd, const std::string& name) {
  const auto file = (sshd.directory() / name).string();
  must_run({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", file});
  return file;
}

void sign(const TestSshd& sshd, const std::vector<std::string>& options, const std::string& key) {
  std::vector<std::string> argv = {"ssh-keygen", "-q",      "-s", (sshd.directory() / "authority"),
                                   "-I",         "somebody"};
  argv.insert(argv.end(), options.begin(), options.end());
  argv.push_back(key + ".pub");
  must_run(argv);
}

HostAddress with_identity(const TestSshd& sshd, const std::string& key) {
  auto address = sshd.address();
  address.ssh_opts = {"-F", "/dev/null", "-o", "IdentityAgent=none", "-i", key};
  return address;
}

} // namespace

TEST_CASE("an IPv6 address, an alias, a host with an RSA key alone") {
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  SECTION("IPv6") {
    TestSshd sshd({.address = "::1"});
    CHECK(sshd.address().hostname == "[::1]:" + std::to_string(sshd.port()));
    client.connect(sshd.address());
  }
  SECTION("alias") {
    TestSshd sshd;
    auto address = sshd.address();
    const auto config = sshd.directory() / "config";
    belay::replace_file(config, "Host my-web\n  HostName 127.0.0.1\n  Port " +
                                    std::to_string(sshd.port()) + "\n  IdentityAgent none\n" +
                                    "  IdentityFile " + sshd.user_key() + "\n");
    address.hostname = "my-web";
    address.ssh_opts = {"-F", config};
    client.connect(address);
  }
  SECTION("RSA") {
    TestSshd sshd({.host_key_types = {"rsa"}});
    auto address = sshd.address();
    address.host_key = sshd.host_key("rsa");
    client.connect(address);
  }
}

TEST_CASE("a host whose key changes during the run is refused even under `no`") {
  TestSshd sshd;
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  auto address = sshd.address();
  address.host_key.reset();
  const std::string strict = GENERATE(values<std::string>({"no", "accept-new"}));
  address.ssh_opts.insert(address.ssh_opts.end(), {"-o", "StrictHostKeyChecking=" + strict});
  client.connect(address);
  client.connect(address);
  CHECK(sshd.wait_for_log("Accepted publickey"));
  sshd.change_host_keys();
  const auto before = sshd.log().rfind("Accepted publickey");
  const auto error = error_of([&] { client.connect(address); });
  CHECK(error.kind() == ErrorKind::host_key_mismatch);
  sshd.stop();
  CHECK(sshd.log().rfind("Accepted publickey") == before); // it was not even logged in to
}

TEST_CASE("methods that libssh2 has not: auto goes by the ssh program") {
  TestSshd sshd({.lines = {"KexAlgorithms sntrup761x25519-sha512@openssh.com"}});
  AutoClient client;
  client.transport.connect(sshd.address());
  client.transport.connect(sshd.address());
  REQUIRE(client.notices.size() == 1);
  CHECK(holds(client.notices[0], "no common key exchange method"));
}

TEST_CASE("what libssh2 can do, auto does by libssh2") {
  TestSshd sshd;
  AutoClient client;
  client.transport.connect(sshd.address());
  CHECK(client.notices.empty());
}

TEST_CASE("a refusal that is final is none of the ssh program's business") {
  TestSshd sshd;
  AutoClient client;
  const auto wrong = make_key(sshd, "wrong");
  CHECK(error_of([&] { client.transport.connect(with_identity(sshd, wrong)); }).kind() ==
        ErrorKind::authentication_failed);
  CHECK(client.notices.empty());
}

TEST_CASE("a user's certificate logs in") {
  TestSshd sshd;
  make_key(sshd, "authority");
  std::ofstream(sshd.directory() / "authorized_keys", std::ios::app)
      << "cert-authority,principals=\"deployer\" "
      << belay::read_file(sshd.directory() / "authority.pub", 4096);
  const auto key = make_key(sshd, "key");
  sign(sshd, {"-n", "deployer"}, key);
  AutoClient client;
  client.transport.connect(with_identity(sshd, key));
  REQUIRE(client.notices.size() == 1);
  CHECK(holds(client.notices[0], "certificate"));
}

TEST_CASE("a certificate that only the agent has logs in") {
  TestSshd sshd;
  make_key(sshd, "authority");
  std::ofstream(sshd.directory() / "authorized_keys", std::ios::app)
      << "cert-authority,principals=\"deployer\" "
      << belay::read_file(sshd.directory() / "authority.pub", 4096);
  const auto key = make_key(sshd, "key");
  sign(sshd, {"-n", "deployer"}, key);
  const auto socket = (sshd.directory() / "agent").string();
  const auto said = must_run({"ssh-agent", "-a", socket});
  const pid_t agent = std::stoi(said.substr(said.find("SSH_AGENT_PID=") + 14));
  setenv("SSH_AUTH_SOCK", socket.c_str(), 1);
  must_run({"ssh-add", "-q", key});
  unsetenv("SSH_AUTH_SOCK");
  for (const char* end : {"", ".pub", "-cert.pub"})
    std::filesystem::remove(key + end);
  auto address = sshd.address();
  address.ssh_opts = {
      "-F", "/dev/null", "-o", "IdentityAgent=" + socket, "-o", "IdentityFile=/no/such/file"};
  AutoClient client;
  client.transport.connect(address);
  kill(agent, SIGTERM);
}

TEST_CASE("a host's certificate is judged by the ssh program") {
  TestSshd plain;
  make_key(plain, "authority");
  const auto authority = belay::read_file(plain.directory() / "authority.pub", 4096);
  const auto host = make_key(plain, "certified");
  const auto names = GENERATE(values<std::string>({"127.0.0.1", "somewhere-else"}));
  sign(plain, {"-h", "-n", names}, host);
  TestSshd sshd({.lines = {"HostKey " + host, "HostCertificate " + host + "-cert.pub"}});
  const auto known = sshd.directory() / "known_hosts";
  belay::replace_file(known, "@cert-authority * " + authority);
  auto address = sshd.address();
  address.host_key.reset();
  address.ssh_opts.insert(address.ssh_opts.end(), {"-o", "StrictHostKeyChecking=yes"});
  AutoClient client;
  if (names == "127.0.0.1") {
    client.transport.connect(address);
    client.transport.connect(address);
    CHECK(holds(client.notices.at(0), "@cert-authority"));
    return;
  }
  const auto error = error_of([&] { client.transport.connect(address); });
  CHECK(error.kind() == ErrorKind::host_key_mismatch);
}

TEST_CASE("a host that shows another certified key in mid-run is refused") {
  TestSshd plain;
  make_key(plain, "authority");
  const auto authority = belay::read_file(plain.directory() / "authority.pub", 4096);
  const auto host = make_key(plain, "certified");
  sign(plain, {"-h", "-n", "127.0.0.1"}, host);
  TestSshd sshd({.lines = {"HostKey " + host, "HostCertificate " + host + "-cert.pub"}});
  belay::replace_file(sshd.directory() / "known_hosts", "@cert-authority * " + authority);
  auto address = sshd.address();
  address.host_key.reset();
  address.ssh_opts.insert(address.ssh_opts.end(), {"-o", "StrictHostKeyChecking=yes"});
  AutoClient client;
  client.transport.connect(address);
  for (const char* end : {"", ".pub", "-cert.pub"})
    std::filesystem::remove(host + end);
  make_key(plain, "certified");
  sign(plain, {"-h", "-n", "127.0.0.1"}, host);
  sshd.change_host_keys();
  CHECK(error_of([&] { client.transport.connect(address); }).kind() ==
        ErrorKind::host_key_mismatch);
}

TEST_CASE("without an ssh program libssh2 does what it can") {
  TestSshd sshd({.lines = {"PidFile none"}});
  auto address = sshd.address();
  address.ssh_opts = {"-i", sshd.user_key(), "-o", "IdentityAgent=none"};
  const auto way = GENERATE(TransportChoice::automatic, TransportChoice::openssh);
  TestTransport client(SshOptions{.ssh_program = ""}, way);
  if (way == TransportChoice::automatic) {
    client.connect(address);
    return;
  }
  const auto error = error_of([&] { client.connect(address); });
  CHECK(error.kind() == ErrorKind::transport_unsupported);
  CHECK(holds(error.message(), "no ssh program"));
}
