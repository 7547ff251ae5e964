// SPDX-License-Identifier: Apache-2.0
#include "engine/run/agent_client.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
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

/// A target that greets, and from then on says nothing of its own accord.
class SilentChannel final : public belay::ssh::Channel {
public:
  SilentChannel(std::string out, std::string& errors, std::string& written)
      : out_(std::move(out)), errors_(errors), written_(written) {}
  std::optional<std::size_t> read_or_stderr(char* buffer, std::size_t size, std::uint64_t seen,
                                            const belay::Wait& wait) override {
    if (!out_.empty()) {
      const auto count = out_.copy(buffer, size);
      out_.erase(0, count);
      return count;
    }
    if (errors_.size() > seen) {
      return std::nullopt;
    }
    belay::wait_readable(-1, wait);
    throw Error(belay::ErrorKind::deadline_exceeded, "reading: timed out");
  }
  void write(std::string_view text, const belay::Wait&) override { written_ += text; }
  void send_eof(const belay::Wait&) override {}
  std::string stderr_tail() const override { return errors_; }
  std::uint64_t stderr_bytes() const override { return errors_.size(); }
  belay::ssh::ChannelEnd close(const belay::Wait&) override { return {}; }

private:
  std::string out_;
  std::string& errors_;
  std::string& written_;
};

struct SilentSession final : belay::ssh::Session {
  std::string command, errors, written;
  std::unique_ptr<belay::ssh::Channel> exec(const std::string& asked, const belay::Wait&) override {
    command = asked;
    belay::agent::Hello hello;
    hello.version = "0.1.0";
    hello.system = "x86_64-linux";
    return std::make_unique<SilentChannel>(belay::agent::encode(belay::agent::Message(hello)),
                                           errors, written);
  }
  std::unique_ptr<belay::ssh::StoreTunnel> open_store_tunnel(const belay::ssh::StoreService&,
                                                             const belay::Wait&) override {
    return nullptr;
  }
  std::string path() const override { return "direct"; }
};

} // namespace

TEST_CASE("an agent that is silent for longer than two heartbeats counts as lost") {
  SilentSession session;
  belay::run::AgentClient client(session, start("", "", "/a"), {});
  const auto began = belay::BootClock::now();
  try {
    client.pump(belay::Wait::at_most(std::chrono::seconds(60)));
    FAIL("it said something");
  } catch (const Error& error) {
    CHECK(error.kind() == belay::ErrorKind::unreachable);
    CHECK(error.message().find("silent for 5.0 s") != std::string::npos);
  }
  CHECK(belay::BootClock::now() - began < std::chrono::seconds(20));
}

TEST_CASE("what looks like sudo's question after the greeting is not answered") {
  SilentSession session;
  auto asking = start("sudo -u", "root", "/a");
  asking.password = std::make_shared<const belay::Secret>("hunter2", "somewhere");
  belay::run::AgentClient client(session, asking, {});
  session.errors = belay::split_white_space(session.command.substr(session.command.find(" -p ")))
                       .at(1); // sudo's marker
  CHECK_THROWS_AS(client.pump(belay::Wait::at_most(std::chrono::milliseconds(50))), Error);
  CHECK(session.written.empty());
}

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
