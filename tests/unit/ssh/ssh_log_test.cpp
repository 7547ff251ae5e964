// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/ssh/ssh_log.h"
#include "engine/ssh/ssh_options.h"
#include "tests/catch.h"

using belay::Error;
using belay::ErrorKind;
using belay::ssh::connection_options;
using belay::ssh::explain_login;
using belay::ssh::hop_options;
using belay::ssh::KeepProxy;
using belay::ssh::parse_ssh_log;
using belay::ssh::parse_ssh_options;
using Words = std::vector<std::string>;

// OpenSSH's words, from 8.4 to 10; the tests with a real sshd know those of one release alone.

TEST_CASE("ssh's last words become an error of a kind") {
  struct Row {
    const char* log;
    ErrorKind kind;
    bool temporary;
    const char* said;
  };
  const auto row = GENERATE(values<Row>(
      {{"ssh: connect to host h port 22: Connection refused", ErrorKind::unreachable, true,
        "refused"},
       {"ssh: connect to host h port 22: No route to host", ErrorKind::unreachable, false,
        "No route to host"},
       {"ssh: Could not resolve hostname h: Name or service not known", ErrorKind::unreachable,
        false, "check hostname"},
       {"ssh: Could not resolve hostname h: Temporary failure in name resolution",
        ErrorKind::unreachable, true, "DNS"},
       {"kex_exchange_identification: read: Connection reset by peer\r\nConnection reset by "
        "10.0.0.1 port 22",
        ErrorKind::unreachable, true, "MaxStartups"},
       {"ssh_exchange_identification: Connection closed by remote host", ErrorKind::unreachable,
        true, "MaxStartups"},
       {"Connection timed out during banner exchange\nConnection to h port 22 timed out",
        ErrorKind::unreachable, false, "timed out"},
       {"Unable to negotiate with 10.0.0.1 port 22: no matching MAC found. Their offer: umac",
        ErrorKind::transport_unsupported, false, "no matching MAC"},
       {"debug1: Offering public key: /k ED25519 SHA256:x explicit\n"
        "debug1: Authentications that can continue: publickey\n"
        "u@h: Permission denied (publickey).",
        ErrorKind::authentication_failed, false, "tried /k. Put"},
       {"debug1: Offering public key: my key RSA SHA256:x agent\n"
        "u@h: Permission denied (publickey).",
        ErrorKind::authentication_failed, false, "tried agent key RSA my key"},
       {"debug1: Authentications that can continue: password\nu@h: Permission denied (password).",
        ErrorKind::authentication_failed, false, "no public keys"},
       {"Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures",
        ErrorKind::authentication_failed, false, "IdentitiesOnly"},
       {"No ED25519 host key is known for h and you have requested strict checking.\n"
        "Host key verification failed.",
        ErrorKind::host_key_mismatch, false, "accept-new"},
       {"@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n"
        "Offending ED25519 key in /home/u/.ssh/known_hosts:3\nHost key verification failed.",
        ErrorKind::host_key_mismatch, false, "/home/u/.ssh/known_hosts line 3"},
       {"@       WARNING: REVOKED HOST KEY DETECTED!               @", ErrorKind::host_key_mismatch,
        false, "revoked"},
       {"Certificate invalid: expired\nHost key verification failed.", ErrorKind::host_key_mismatch,
        false, "Certificate invalid: expired"},
       {"channel 0: open failed: administratively prohibited: open failed\n"
        "stdio forwarding failed",
        ErrorKind::unreachable, false, "AllowTcpForwarding"},
       {"channel 0: open failed: connect failed: Connection refused\nstdio forwarding failed",
        ErrorKind::unreachable, true, "cannot reach the next host"},
       {"/etc/ssh/ssh_config: line 3: Bad configuration option: x", ErrorKind::invalid_plan, false,
        "Bad configuration option"}}));
  INFO(row.log);
  const auto failure = explain_login(parse_ssh_log(row.log), {.user = "u"});
  REQUIRE(failure);
  CHECK(failure->kind() == row.kind);
  CHECK(failure->temporary() == row.temporary);
  INFO(failure->message());
  CHECK(failure->message().find(row.said) != std::string::npos);
}

TEST_CASE("what ssh says besides is no reason") {
  CHECK_FALSE(explain_login(parse_ssh_log("OpenSSH_9.2p1\ndebug1: Connection closed by x\n"
                                          "Warning: Permanently added 'h' to the list"),
                            {}));
}

TEST_CASE("of sshOpts those remain that say how to reach the host") {
  const auto options = parse_ssh_options({"-4A", "-p22", "-o", "Port=23", "-tL", "1:h:2", "-M",
                                          "-S", "/mine", "-J", "bastion", "-F", "/cfg", "-vq"});
  CHECK(connection_options(options, KeepProxy::yes) ==
        Words{"-4", "-p", "22", "-o", "Port=23", "-J", "bastion", "-F", "/cfg"});
  CHECK(connection_options(options, KeepProxy::no) ==
        Words{"-4", "-p", "22", "-o", "Port=23", "-F", "/cfg"});
  CHECK(hop_options(options) == Words{"-F", "/cfg"});
  CHECK(hop_options({}).empty());
  CHECK_THROWS_AS(parse_ssh_options({"somewhere-else"}), Error);
  CHECK_THROWS_AS(parse_ssh_options({"-o"}), Error);
}
