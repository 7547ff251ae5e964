// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/base64.h"
#include "engine/ssh/target.h"
#include "tests/catch.h"
#include "tests/unit/ssh/test_sshd.h"

using belay::ErrorKind;
using belay::ssh::parse_target;
using belay::ssh::test::error_of;

TEST_CASE("a hostname may carry a port, an IPv6 address, a user") {
  struct Row {
    const char* text;
    const char* user;
    const char* host;
    std::optional<std::uint16_t> port;
  };
  const auto row = GENERATE(values<Row>({{"web-1", "", "web-1", {}},
                                         {"web-1.example:2222", "", "web-1.example", 2222},
                                         {"10.0.0.1", "", "10.0.0.1", {}},
                                         {"10.0.0.1:65535", "", "10.0.0.1", 65535},
                                         {"::1", "", "::1", {}},
                                         {"fe80::1%eth0", "", "fe80::1%eth0", {}},
                                         {"[::1]", "", "::1", {}},
                                         {"[2001:db8::2]:22", "", "2001:db8::2", 22},
                                         {"deploy@web-1:23", "deploy", "web-1", 23},
                                         {"deploy@[::1]:24", "deploy", "::1", 24}}));
  INFO(row.text);
  const auto target = parse_target(row.text);
  CHECK(target.user == row.user);
  CHECK(target.host == row.host);
  CHECK(target.port == row.port);
}

TEST_CASE("what cannot be a hostname is a mistake in the plan") {
  const auto text = GENERATE(
      values<std::string>({"", "-oProxyCommand=x", "a b", "a\tb", "a\nb", ":22", "web:", "web:0",
                           "web:65536", "web:ssh", "[::1", "[::1]x", "-l@web", "deploy@"}));
  INFO(text);
  const auto error = error_of([&] { parse_target(text); });
  CHECK(error.kind() == ErrorKind::invalid_plan);
}

TEST_CASE("host and port are written so that they can be told apart") {
  CHECK(belay::ssh::host_and_port("web", 22) == "web:22");
  CHECK(belay::ssh::host_and_port("::1", 22) == "[::1]:22");
}

TEST_CASE("base64 there and back") {
  for (const std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"})
    CHECK(belay::ssh::base64_decode(belay::ssh::base64_encode(text)) == text);
  CHECK(belay::ssh::base64_encode("fooba") == "Zm9vYmE=");
  CHECK_FALSE(belay::ssh::base64_decode("Zm9 vYmE"));
}
