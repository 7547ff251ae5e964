// SPDX-License-Identifier: Apache-2.0
#include "engine/run/agent_client.h"

#include "engine/base/error.h"
#include "engine/run/agent_finder.h"
#include "tests/catch.h"

using belay::Error;
using belay::run::AgentStart;
using belay::run::serve_command;
using belay::run::system_of_uname;

namespace {

AgentStart start(const std::string& sudo, const std::string& user, const std::string& agent) {
  return {agent, "deploy", user, sudo, nullptr};
}

} // namespace

TEST_CASE("the remote command holds no word that a user named unquoted") {
  CHECK(serve_command(start("sudo -u", "", "/nix/store/x-belay-agent")) ==
        "/nix/store/x-belay-agent serve");
  CHECK(serve_command(start("sudo -u", "root", "/nix/store/x-belay-agent")) ==
        "sudo -u root /nix/store/x-belay-agent serve");
  CHECK(serve_command(start("sudo -u", "root", "/a"), "BELAY-1") ==
        "sudo -u root -S -p BELAY-1 /a serve");
  CHECK(serve_command(start("sudo -u", "", "/a"), "BELAY-1") == "/a serve");
  CHECK(serve_command(start("doas;reboot -u", "app", "/a")) == "'doas;reboot' -u app /a serve");
}

TEST_CASE("5.8: any command that takes a user's name and a program becomes that user") {
  const auto command = [](const std::string& sudo) {
    return serve_command(start(sudo, "app", "/nix/store/x-belay-agent"));
  };
  const std::string rest = " app /nix/store/x-belay-agent serve";
  CHECK(command("sudo -u") == "sudo -u" + rest);
  CHECK(command("sudo  -n -H\t-u") == "sudo -n -H -u" + rest);
  CHECK(command("/run/wrappers/bin/sudo -u") == "/run/wrappers/bin/sudo -u" + rest);
  CHECK(command("doas -u") == "doas -u" + rest);
  CHECK(command("runuser -u") == "runuser -u" + rest);
  CHECK(command("run0 -u") == "run0 -u" + rest);
}

TEST_CASE("a user name that is none is refused") {
  const std::string user = GENERATE(
      values<std::string>({"-root", "a b", "a;b", "a$b", "$(id)", "a\nb", "'", "\xC3\xA9"}));
  CHECK_THROWS_AS(serve_command(start("sudo -u", user, "/a")), Error);
}

TEST_CASE("ordinary and samba machine accounts are user names") {
  CHECK_NOTHROW(serve_command(start("sudo -u", "deploy_1.x-y", "/a")));
  CHECK_NOTHROW(serve_command(start("sudo -u", "host$", "/a")));
}

TEST_CASE("a target's uname becomes Nix's name of its system") {
  CHECK(system_of_uname("Linux x86_64\n") == "x86_64-linux");
  CHECK(system_of_uname("Linux aarch64") == "aarch64-linux");
  CHECK(system_of_uname("Darwin arm64") == "aarch64-darwin");
  CHECK(system_of_uname("Linux i586") == "i686-linux");
  CHECK(system_of_uname("Linux ppc64le") == "powerpc64le-linux");
  CHECK_THROWS_AS(system_of_uname("sh: uname: not found"), Error);
}
