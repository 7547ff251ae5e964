// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"
#include "tests/unit/ssh/test_sshd.h"

#include "engine/base/text.h"

#include <fstream>

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

namespace {

// A host whose key is looked up in a known_hosts file of the test's.
class Host {
public:
  explicit Host(const std::string& strict, std::vector<std::string> types = {"ed25519"})
      : sshd({.host_key_types = std::move(types)}), strict_(strict) {}

  std::string name() const { return "[127.0.0.1]:" + std::to_string(sshd.port()); }
  std::filesystem::path file() const { return sshd.directory() / "known_hosts"; }
  void know(const std::string& line) { std::ofstream(file(), std::ios::app) << line << "\n"; }
  std::string text() const {
    return std::filesystem::exists(file()) ? belay::read_file(file(), 1 << 20) : "";
  }

  HostAddress address() const {
    auto address = sshd.address();
    address.host_key.reset();
    address.ssh_opts.insert(address.ssh_opts.end(), {"-o", "StrictHostKeyChecking=" + strict_});
    return address;
  }
  void connect() { client.connect(address()); }
  belay::Error refused() {
    return error_of([&] { connect(); });
  }

  TestSshd sshd;
  std::vector<std::string> warnings;
  TestTransport client{
      SshOptions{.on_notice = [this](const Notice& notice) { warnings.push_back(notice.message); }},
      GENERATE(TransportChoice::libssh2, TransportChoice::openssh)};

private:
  std::string strict_;
};

std::string another_key() {
  const TestSshd other;
  return other.host_key();
}

} // namespace

TEST_CASE("a known host is accepted, however it is written down") {
  Host host("yes");
  const auto key = host.sshd.host_key();
  SECTION("name and port") {
    host.know(host.name() + " " + key);
  }
  SECTION("hashed") {
    host.know(host.name() + " " + key);
    must_run({"ssh-keygen", "-H", "-f", host.file()});
    REQUIRE(host.text().starts_with("|1|"));
  }
  SECTION("pattern") {
    host.know("[127.0.0.?]:* " + key);
  }
  SECTION("a list with a negation of others") {
    host.know("!10.0.0.1,[127.0.0.1]:" + std::to_string(host.sshd.port()) + " " + key);
  }
  SECTION("by its name alone") {
    host.know("127.0.0.1 " + key);
  }
  SECTION("among others") {
    host.know(host.name() + " " + another_key());
    host.know(host.name() + " " + key);
  }
  host.connect();
  CHECK(host.warnings.empty());
}

TEST_CASE("an unknown host is refused, with its fingerprint and what to do") {
  Host host("yes");
  SECTION("no file") {}
  SECTION("another port's key") {
    host.know("[127.0.0.1]:1 " + host.sshd.host_key());
  }
  SECTION("negated") {
    host.know("!127.0.0.1,![127.0.0.1]:*,* " + host.sshd.host_key());
  }
  const auto error = host.refused();
  CHECK(error.kind() == ErrorKind::host_key_mismatch);
  CHECK(error.message().starts_with("web-1 ("));
  CHECK(holds(error.message(), "127.0.0.1:" + std::to_string(host.sshd.port())));
  const auto shown = must_run({"ssh-keygen", "-l", "-f", host.sshd.directory() / "host_ed25519"});
  CHECK(holds(error.message(), belay::split_white_space(shown).at(1)));
  CHECK(holds(error.message(), "accept-new"));
}

TEST_CASE("`ask` asks nobody") {
  CHECK(Host("ask").refused().kind() == ErrorKind::host_key_mismatch);
}

TEST_CASE("a host with another key than the known one is refused, with the line") {
  Host host(GENERATE(values<std::string>({"yes", "accept-new"})));
  host.know("# a comment");
  host.know(host.name() + " " + another_key());
  const auto error = host.refused();
  CHECK(error.kind() == ErrorKind::host_key_mismatch);
  CHECK(holds(error.message(), "known_hosts line 2"));
}

TEST_CASE("accept-new does not apply where any line matches the host") {
  Host host("accept-new");
  SECTION("a key of another type") {
    must_run({"ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", host.sshd.directory() / "other"});
    const auto other = belay::read_file(host.sshd.directory() / "other.pub", 4096);
    host.know(host.name() + " " + std::string(belay::trim(other)));
  }
  SECTION("a revoked key") {
    host.know("@revoked " + host.name() + " " + another_key());
  }
  CHECK(host.refused().kind() == ErrorKind::host_key_mismatch);
}

TEST_CASE("a revoked key is refused whatever is configured") {
  Host host(GENERATE(values<std::string>({"yes", "accept-new", "no"})));
  host.know(host.name() + " " + host.sshd.host_key());
  host.know("@revoked * " + host.sshd.host_key());
  const auto error = host.refused();
  CHECK(error.kind() == ErrorKind::host_key_mismatch);
  CHECK(holds(error.message(), "revoked"));
}

TEST_CASE("a trusted authority needs the ssh program, and a host with a certificate of it") {
  Host host("yes");
  host.know("@cert-authority * " + host.sshd.host_key());
  const auto error = host.refused();
  if (host.client.choice == TransportChoice::openssh) {
    CHECK(error.kind() == ErrorKind::host_key_mismatch);
    return;
  }
  CHECK(error.kind() == ErrorKind::transport_unsupported);
  CHECK(holds(error.message(), "@cert-authority"));
}

TEST_CASE("accept-new writes an unknown host down once") {
  Host host("accept-new");
  belay::replace_file(host.file(), "# no line end");
  host.connect();
  host.connect();
  CHECK(host.text() == "# no line end\n" + host.name() + " " + host.sshd.host_key() + "\n");
  CHECK(host.warnings.size() == 1);
  TestTransport another_run;
  auto address = host.address();
  address.ssh_opts.back() = "StrictHostKeyChecking=yes";
  another_run.connect(address);
}

TEST_CASE("accept-new that cannot write a host down names the file, and what to do") {
  Host host("accept-new");
  if (host.client.choice == TransportChoice::openssh)
    return; // the program goes on, and only says so
  belay::replace_file(host.sshd.directory() / "no-folder", "");
  auto address = host.address();
  std::string file = host.sshd.directory().string() + "/no-folder/.ssh/known_hosts";
  SECTION("since its folder cannot be made") {}
  SECTION("nor the file in it") {
    std::filesystem::create_directory(host.sshd.directory() / "a-folder");
    file = host.sshd.directory().string() + "/a-folder";
  }
  address.ssh_opts.insert(address.ssh_opts.begin(), {"-o", "UserKnownHostsFile=" + file});
  const auto error = error_of([&] { host.client.connect(address); });
  INFO(error.message());
  CHECK(error.kind() == ErrorKind::system);
  CHECK(holds(error.message(), "cannot be written to " + file + " ("));
  CHECK(holds(error.message(), "hostKey"));
}

TEST_CASE("accept-new hashes the name where ssh_config says so") {
  Host host("accept-new");
  auto address = host.address();
  address.ssh_opts.insert(address.ssh_opts.end(), {"-o", "HashKnownHosts=yes"});
  host.client.connect(address);
  CHECK(host.text().starts_with("|1|"));
  CHECK_FALSE(holds(host.text(), "127.0.0.1"));
  CHECK_FALSE(must_run({"ssh-keygen", "-F", host.name(), "-f", host.file()}).empty());
}

TEST_CASE("a known_hosts file whose name has a blank is read by the ssh program alone") {
  Host host("accept-new");
  host.client.choice = TransportChoice::automatic;
  const auto file = host.sshd.directory() / "known hosts";
  auto address = host.address();
  address.ssh_opts.insert(address.ssh_opts.begin(),
                          {"-o", "UserKnownHostsFile=\"" + file.string() + "\""});
  const auto connect = [&] { host.client.connect(address); };
  SECTION("it has another key") {
    belay::replace_file(file, host.name() + " " + another_key() + "\n");
    CHECK(error_of(connect).kind() == ErrorKind::host_key_mismatch);
  }
  SECTION("it has none") {
    connect();
    connect();
    CHECK(holds(belay::read_file(file, 4096), host.sshd.host_key()));
    REQUIRE(host.warnings.size() == 2);
    CHECK(holds(host.warnings[0], "goes by the ssh program"));
    CHECK(holds(host.warnings[1], "new host key SHA256:"));
  }
}

TEST_CASE("`no` works, with a warning") {
  Host host("no");
  SECTION("an unknown host") {}
  SECTION("a changed one") {
    host.know(host.name() + " " + another_key());
  }
  host.connect();
  REQUIRE(host.warnings.size() == 1);
  CHECK(holds(host.warnings.front(), "not checked"));
}

TEST_CASE("a host with several keys shows the one that is known") {
  Host host("yes", {"ed25519", "ecdsa", "rsa"});
  host.know(host.name() + " " +
            host.sshd.host_key(GENERATE(values<std::string>({"ecdsa", "rsa"}))));
  host.connect();
}

TEST_CASE("a pinned key beats every other source") {
  Host host("yes", {"ed25519", "rsa"});
  auto address = host.address();
  SECTION("right, though known_hosts has another") {
    host.know(host.name() + " " + another_key());
    address.host_key = host.sshd.host_key("rsa") + " a comment";
    host.client.connect(address);
  }
  SECTION("wrong, though known_hosts has the right one and `no` is set") {
    host.know(host.name() + " " + host.sshd.host_key());
    address.host_key = another_key();
    address.ssh_opts.back() = "StrictHostKeyChecking=no";
    const auto error = error_of([&] { host.client.connect(address); });
    CHECK(error.kind() == ErrorKind::host_key_mismatch);
    CHECK(holds(error.message(), "pins"));
  }
  SECTION("no key at all") {
    address.host_key = "ssh-ed25519 nonsense";
    CHECK(error_of([&] { host.client.connect(address); }).kind() == ErrorKind::invalid_plan);
  }
}

TEST_CASE("a key that changes during the run is refused even under `no`") {
  using namespace belay::ssh;
  HostKeyExpectation expectation;
  expectation.seen = PresentedKey{"ssh-ed25519", "old", "SHA256:old"};
  const auto error = error_of([&] {
    judge_host_key(expectation, {"ssh-ed25519", "new", "SHA256:x"}, StrictHostKeys::no);
  });
  CHECK(error.kind() == ErrorKind::host_key_mismatch);
  SeenKeys seen;
  seen.put("h:22", {"ssh-ed25519", "old", ""});
  seen.put("h:22", {"ssh-ed25519", "new", ""});
  CHECK(seen.get("h:22")->blob == "old");
}
