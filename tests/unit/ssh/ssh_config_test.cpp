// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/ssh_config.h"
#include "tests/catch.h"
#include "tests/unit/ssh/test_sshd.h"

using namespace std::chrono_literals;
using belay::ErrorKind;
using belay::ssh::AddressFamily;
using belay::ssh::HostAddress;
using belay::ssh::interpret_ssh_config;
using belay::ssh::ResolvedHost;
using belay::ssh::SshConfig;
using belay::ssh::StrictHostKeys;
using belay::ssh::test::error_of;
using belay::ssh::test::TestTransport;

namespace {

// What the real ssh makes of a configuration file.
struct Resolver {
  explicit Resolver(const std::string& text) : directory("/tmp/belay-test-config.") {
    file = directory.path() / "config";
    belay::replace_file(file, text);
  }
  ResolvedHost resolve(HostAddress address) {
    address.ssh_opts.insert(address.ssh_opts.begin(), {"-F", file.string()});
    return config.resolve(address, TestTransport::limit());
  }
  ResolvedHost resolve(const std::string& hostname) {
    return resolve({"web-1", hostname, "", {}, {}});
  }

  belay::TemporaryDirectory directory;
  std::filesystem::path file;
  belay::PosixProcessRunner processes;
  SshConfig config{processes, belay::ssh::find_program("ssh")};
};

} // namespace

TEST_CASE("a host's configuration is asked for once in a run, another's by itself") {
  Resolver resolver("");
  const auto asked = resolver.directory.path() / "asked";
  belay::replace_file(resolver.file, "Match exec \"echo %h >>" + asked.string() + "\"\n");
  resolver.resolve("one.example");
  const auto once = belay::read_file(asked, 4096);
  CHECK(once.starts_with("one.example\n"));
  resolver.resolve("one.example");
  CHECK(belay::read_file(asked, 4096) == once);
  resolver.resolve("two.example");
  CHECK(belay::read_file(asked, 4096) != once);
}

TEST_CASE("an alias is resolved as the user's ssh would") {
  Resolver resolver("Host web\n"
                    "  HostName Web-1.Example\n"
                    "  Port 2222\n"
                    "  User deploy\n"
                    "  IdentityFile /keys/one\n"
                    "  IdentityFile ~/keys/two\n"
                    "  IdentitiesOnly yes\n"
                    "  IdentityAgent /run/agent\n"
                    "  UserKnownHostsFile /known/hosts\n"
                    "  StrictHostKeyChecking accept-new\n"
                    "  HostKeyAlias other\n"
                    "  ConnectTimeout 7\n"
                    "  ServerAliveInterval 9\n"
                    "  ServerAliveCountMax 2\n"
                    "  AddressFamily inet\n"
                    "  HashKnownHosts yes\n");
  const auto host = resolver.resolve("web");
  CHECK(host.hostname == "web-1.example");
  CHECK(host.port == 2222);
  CHECK(host.user == "deploy");
  REQUIRE(host.identity_files.size() == 2);
  CHECK(host.identity_files[0] == "/keys/one");
  CHECK(host.identity_files[1].ends_with("/keys/two"));
  CHECK(host.identity_files[1].front() == '/');
  CHECK(host.identities_only);
  CHECK(host.agent_socket == "/run/agent");
  CHECK(host.user_known_hosts == std::vector<std::string>{"/known/hosts"});
  CHECK(host.strict_host_keys == StrictHostKeys::accept_new);
  CHECK(host.host_key_alias == "other");
  CHECK(host.connect_timeout == 7s);
  CHECK(host.alive_interval == 9s);
  CHECK(host.alive_count == 2);
  CHECK(host.address_family == AddressFamily::inet);
  CHECK(host.hash_known_hosts);
  CHECK(host.unsupported.empty());
}

TEST_CASE("the plan's user and port win over ssh_config") {
  Resolver resolver("Host web\n  Port 2222\n  User someone\n");
  const auto host = resolver.resolve({"web-1", "web:23", "deploy", {"-p", "24"}, {}});
  CHECK(host.port == 23);
  CHECK(host.user == "deploy");
  CHECK(resolver.resolve("me@web").user == "me");
}

TEST_CASE("an IPv6 address is passed whole") {
  CHECK(Resolver("").resolve("[::1]:2222").hostname == "::1");
  CHECK(Resolver("").resolve("[::1]:2222").port == 2222);
}

TEST_CASE("strict host key checking: who would be asked is refused") {
  CHECK(Resolver("").resolve("web").strict_host_keys == StrictHostKeys::yes); // "ask"
  CHECK(Resolver("StrictHostKeyChecking yes").resolve("web").strict_host_keys ==
        StrictHostKeys::yes);
  CHECK(Resolver("StrictHostKeyChecking no").resolve("web").strict_host_keys == StrictHostKeys::no);
}

TEST_CASE("what this transport cannot do is named") {
  struct Row {
    const char* config;
    const char* named;
  };
  const auto row = GENERATE(
      values<Row>({{"ProxyJump bastion", "proxyjump bastion"},
                   {"ProxyCommand nc %h %p", "proxycommand nc %h %p"},
                   {"CertificateFile /x-cert.pub", "certificatefile /x-cert.pub"},
                   {"Ciphers aes256-ctr", "ciphers aes256-ctr"},
                   {"KexAlgorithms curve25519-sha256", "kexalgorithms curve25519-sha256"},
                   {"HostKeyAlgorithms ssh-ed25519", "hostkeyalgorithms ssh-ed25519"},
                   {"RevokedHostKeys /revoked", "revokedhostkeys /revoked"},
                   {"KnownHostsCommand /bin/true", "knownhostscommand /bin/true"},
                   {"VerifyHostKeyDNS yes", "verifyhostkeydns true"},
                   {"BindAddress 127.0.0.1", "bindaddress 127.0.0.1"},
                   {"PreferredAuthentications password", "preferredauthentications password"},
                   {"UserKnownHostsFile /a /b", "userknownhostsfile /a /b"},
                   {"IdentityFile /keys/%h", "identityfile /keys/%h"},
                   {"IdentityAgent \"/run/a b\"", "identityagent /run/a b"}}));
  INFO(row.config);
  CHECK(Resolver(row.config).resolve("web").unsupported == std::vector<std::string>{row.named});
}

TEST_CASE("what a usual configuration sets makes no difference") {
  Resolver resolver("Host *\n"
                    "  SendEnv LANG LC_*\n  HashKnownHosts yes\n  GSSAPIAuthentication yes\n"
                    "  ControlMaster auto\n  ControlPath ~/.ssh/%C\n  ControlPersist 10m\n"
                    "  Compression yes\n  ForwardAgent yes\n  LogLevel ERROR\n"
                    "  LocalForward 1234 localhost:80\n  RequestTTY force\n  TCPKeepAlive no\n"
                    "  PreferredAuthentications publickey\n  AddKeysToAgent yes\n");
  const auto host = resolver.resolve("web");
  CHECK(host.unsupported.empty());
  CHECK(host.other_logins == std::vector<std::string>{"gssapiauthentication"});
}

TEST_CASE("options that ssh refuses are a mistake in the plan") {
  Resolver resolver("");
  const auto error = error_of([&] {
    resolver.resolve({"web-1", "web", "", {"-o", "NoSuchThing=1"}, {}});
  });
  CHECK(error.kind() == ErrorKind::invalid_plan);
  CHECK(belay::ssh::find_program("no-such-program-anywhere").empty());
}

TEST_CASE("an agent is taken from the environment unless said otherwise") {
  setenv("SSH_AUTH_SOCK", "/run/from-environment", 1);
  CHECK(interpret_ssh_config("", "").agent_socket == "/run/from-environment");
  CHECK(interpret_ssh_config("identityagent none\n", "").agent_socket.empty());
  CHECK(interpret_ssh_config("identityagent SSH_AUTH_SOCK\n", "").agent_socket ==
        "/run/from-environment");
  CHECK(interpret_ssh_config("identityagent $SSH_AUTH_SOCK\n", "").agent_socket ==
        "/run/from-environment");
  unsetenv("SSH_AUTH_SOCK");
}

TEST_CASE("without an ssh program the plan's settings serve") {
  belay::PosixProcessRunner processes;
  SshConfig config(processes, "");
  const auto host =
      config.resolve({"web-1",
                      "Web-1:2222",
                      "deploy",
                      {"-i", "/keys/one", "-oStrictHostKeyChecking=no", "-o", "ConnectTimeout 4"},
                      {}},
                     TestTransport::limit());
  CHECK(host.hostname == "web-1");
  CHECK(host.port == 2222);
  CHECK(host.user == "deploy");
  CHECK(host.identity_files == std::vector<std::string>{"/keys/one"});
  CHECK(host.strict_host_keys == StrictHostKeys::no);
  CHECK(host.connect_timeout == 4s);
  CHECK(host.unsupported.empty());
  const auto jump =
      config.resolve({"web-1", "web", "", {"-J", "bastion"}, {}}, TestTransport::limit());
  CHECK_FALSE(jump.unsupported.empty());
}
