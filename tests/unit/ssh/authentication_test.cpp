// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"
#include "tests/unit/ssh/test_sshd.h"

#include "engine/base/text.h"

#include <csignal>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace std::chrono_literals;
using belay::ErrorKind;
using belay::Wait;
using belay::ssh::HostAddress;
using belay::ssh::TransportChoice;
using belay::ssh::test::error_of;
using belay::ssh::test::holds;
using belay::ssh::test::must_run;
using belay::ssh::test::TestSshd;
using belay::ssh::test::TestTransport;

namespace {

std::string make_key(const TestSshd& sshd, const std::string& name,
                     const std::vector<std::string>& options) {
  const auto file = (sshd.directory() / name).string();
  std::vector<std::string> argv = {"ssh-keygen", "-q", "-C", name, "-f", file};
  argv.insert(argv.end(), options.begin(), options.end());
  must_run(argv);
  return file;
}

// The address with these identities and no others.
HostAddress with(const TestSshd& sshd, const std::vector<std::string>& identities,
                 const std::string& agent = "none") {
  auto address = sshd.address();
  address.ssh_opts = {"-F", "/dev/null", "-o", "IdentityAgent=" + agent};
  for (const auto& identity : identities)
    address.ssh_opts.insert(address.ssh_opts.end(), {"-o", "IdentityFile=" + identity});
  return address;
}

// A real ssh-agent of this test's own.
class Agent {
public:
  explicit Agent(const TestSshd& sshd) : socket((sshd.directory() / "agent").string()) {
    const auto said = must_run({"ssh-agent", "-a", socket});
    const auto begin = said.find("SSH_AGENT_PID=") + 14;
    pid_ = std::stoi(said.substr(begin));
  }
  ~Agent() {
    if (pid_ > 0)
      kill(pid_, SIGTERM);
  }
  void add(const std::string& key) const {
    setenv("SSH_AUTH_SOCK", socket.c_str(), 1);
    must_run({"ssh-add", "-q", key});
    unsetenv("SSH_AUTH_SOCK");
  }
  void freeze() const { kill(pid_, SIGSTOP); }
  void thaw() const { kill(pid_, SIGCONT); }
  std::string socket;

private:
  pid_t pid_ = -1;
};

} // namespace

TEST_CASE("every usual type of key file logs in") {
  TestSshd sshd;
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const auto options = GENERATE(
      values<std::vector<std::string>>({{"-t", "ed25519", "-N", ""},
                                        {"-t", "ecdsa", "-N", ""},
                                        {"-t", "rsa", "-b", "2048", "-N", ""},
                                        {"-t", "rsa", "-b", "2048", "-N", "", "-m", "PEM"}}));
  const auto key = make_key(sshd, "key", options);
  sshd.authorise(key + ".pub");
  client.connect(with(sshd, {key}));
}

TEST_CASE("several identities are tried in turn") {
  TestSshd sshd;
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const auto wrong = make_key(sshd, "wrong", {"-t", "ed25519", "-N", ""});
  client.connect(with(sshd, {(sshd.directory() / "missing").string(), wrong, sshd.user_key()}));
}

TEST_CASE("a refused login names what was tried, and who") {
  TestSshd sshd;
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const auto wrong = make_key(sshd, "wrong", {"-t", "ed25519", "-N", ""});
  const auto locked = make_key(sshd, "locked", {"-t", "ed25519", "-N", "secret"});
  const auto locked_pem =
      make_key(sshd, "locked_pem", {"-t", "rsa", "-b", "2048", "-N", "secret", "-m", "PEM"});
  const auto open_to_all = make_key(sshd, "open", {"-t", "ed25519", "-N", ""});
  chmod(open_to_all.c_str(), 0644);
  const auto error = error_of([&] {
    client.connect(with(sshd, {wrong, locked, locked_pem, open_to_all}));
  });
  CHECK(error.kind() == ErrorKind::authentication_failed);
  CHECK(error.message().starts_with("web-1 ("));
  CHECK(holds(error.message(), "tried " + wrong));
  CHECK(holds(error.message(), locked + " (encrypted"));
  CHECK(holds(error.message(), locked_pem + " (encrypted"));
  CHECK(holds(error.message(), open_to_all + " (readable by others"));
  CHECK(holds(error.message(), "authorized_keys"));
}

TEST_CASE("an agent's key logs in, also with RSA and SHA-2") {
  TestSshd sshd;
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const Agent agent(sshd);
  const auto type = GENERATE(values<std::string>({"ed25519", "rsa"}));
  const auto key = make_key(sshd, "key", {"-t", type, "-N", ""});
  sshd.authorise(key + ".pub");
  agent.add(key);
  std::filesystem::remove(key);
  SECTION("any key of it") {
    client.connect(with(sshd, {"/no/such/file"}, agent.socket));
  }
  SECTION("the one whose public half is configured") {
    auto address = with(sshd, {key}, agent.socket);
    address.ssh_opts.insert(address.ssh_opts.end(), {"-o", "IdentitiesOnly=yes"});
    client.connect(address);
  }
}

TEST_CASE("an encrypted key works where the agent has it") {
  TestSshd sshd;
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const Agent agent(sshd);
  const auto key = make_key(sshd, "key", {"-t", "ed25519", "-N", ""});
  sshd.authorise(key + ".pub");
  agent.add(key);
  must_run({"ssh-keygen", "-q", "-p", "-N", "secret", "-f", key});
  auto address = with(sshd, {key}, agent.socket);
  address.ssh_opts.insert(address.ssh_opts.end(), {"-o", "IdentitiesOnly=yes"});
  client.connect(address);
}

TEST_CASE("IdentitiesOnly leaves the agent's other keys alone") {
  TestSshd sshd;
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const Agent agent(sshd);
  agent.add(sshd.user_key());
  auto address = with(sshd, {"/no/such/file"}, agent.socket);
  address.ssh_opts.insert(address.ssh_opts.end(), {"-o", "IdentitiesOnly=yes"});
  const auto error = error_of([&] { client.connect(address); });
  CHECK(error.kind() == ErrorKind::authentication_failed);
  CHECK(holds(error.message(), "no key at all"));
}

TEST_CASE("an agent that does not answer is waited for until the deadline, or a cancel") {
  TestSshd sshd;
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  const Agent agent(sshd);
  agent.add(sshd.user_key());
  agent.freeze();
  const auto address = with(sshd, {"/no/such/file"}, agent.socket);
  const auto slow =
      error_of([&] { client.connect(address, belay::ssh::Purpose::work, {}, Wait::at_most(4s)); });
  CHECK(slow.kind() == ErrorKind::unreachable);
  INFO(slow.message());
  CHECK(holds(slow.message(), "ssh-agent"));
  agent.thaw();
}

TEST_CASE("an agent that is gone does not keep a key file from logging in") {
  TestSshd sshd;
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  client.connect(with(sshd, {sshd.user_key()}, "/no/such/agent"));
}

TEST_CASE("many wrong keys: the server hangs up, and that is no lost connection") {
  TestSshd sshd({.lines = {"MaxAuthTries 2"}});
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  std::vector<std::string> keys;
  for (int i = 0; i < 4; ++i)
    keys.push_back(make_key(sshd, "wrong" + std::to_string(i), {"-t", "ed25519", "-N", ""}));
  const auto error = error_of([&] { client.connect(with(sshd, keys)); });
  CHECK(error.kind() == ErrorKind::authentication_failed);
  CHECK(holds(error.message(), "IdentitiesOnly"));
}

TEST_CASE("a certificate beside a refused key needs the ssh program") {
  TestSshd sshd;
  TestTransport client;
  const auto key = make_key(sshd, "key", {"-t", "ed25519", "-N", ""});
  must_run({"ssh-keygen", "-q", "-s", sshd.user_key(), "-I", "me", key + ".pub"});
  const auto error = error_of([&] { client.connect(with(sshd, {key})); });
  CHECK(error.kind() == ErrorKind::transport_unsupported);
  CHECK(holds(error.message(), "certificate"));
}

TEST_CASE("GSSAPI, where configured and taken by the server, needs the ssh program") {
  TestSshd sshd({.lines = {"GSSAPIAuthentication yes"}});
  TestTransport client;
  auto address = with(sshd, {"/no/such/file"});
  address.ssh_opts.insert(address.ssh_opts.end(), {"-o", "GSSAPIAuthentication=yes"});
  const auto error = error_of([&] { client.connect(address); });
  CHECK(error.kind() == ErrorKind::transport_unsupported);
  CHECK(holds(error.message(), "gssapi"));
}

TEST_CASE("GSSAPI that only Debian's default configuration asks for is no way out") {
  TestSshd sshd;
  TestTransport client(GENERATE(TransportChoice::libssh2, TransportChoice::openssh));
  auto address = with(sshd, {"/no/such/file"});
  address.ssh_opts.insert(address.ssh_opts.end(), {"-o", "GSSAPIAuthentication=yes"});
  CHECK(error_of([&] { client.connect(address); }).kind() == ErrorKind::authentication_failed);
}
