// SPDX-License-Identifier: Apache-2.0
#include "engine/run/agent_start.h"
#include "tests/catch.h"
#include "tests/unit/steps/step_harness.h"

#include <algorithm>

// The login is deploy, the profile is root's: every agent is started through the target's sudo.

using belay::Error;
using belay::ErrorKind;
using belay::Secret;
using belay::event::Outcome;
using belay::event::Rollback;
using belay::run::AgentStart;
using belay::run::FailedStart;
using belay::run::start_failure;
using belay::run::StepKind;
using belay::tests::StepHarness;

namespace {

belay::tests::NodeSpec through_sudo(const std::string& password = {}, bool store_sudo = false) {
  belay::tests::NodeSpec spec;
  spec.logins["system"] = {"deploy", {}};
  spec.sudo_password = password;
  spec.store_sudo = store_sudo;
  return spec;
}

/// The target's sudo wants `right`, the runner has `given`.
struct Harness : StepHarness {
  Harness(const std::string& right, const std::string& given, bool store_sudo = false)
      : StepHarness(through_sudo(given, store_sudo)) {
    host().sudo.asks = true;
    host().sudo.password = right;
  }
  belay::run::NodeResult copied() {
    step(StepKind::build);
    return step(StepKind::copy);
  }
};

} // namespace

TEST_CASE("sudo gets its password wherever an agent is started, once each time") {
  Harness harness("right", "right");
  harness.host().sudo.lecture = "We trust you have received the usual lecture.\n";
  harness.bring_over();
  CHECK(harness.host().sudo.asked == 1); // the working connection
  const auto result = harness.step(StepKind::activate);
  INFO(result.message);
  CHECK(result.outcome == Outcome::success);
  CHECK(harness.host().sudo.asked == 2); // the one that confirms
  CHECK(harness.step(StepKind::rollback).rollback == Rollback::succeeded);
  CHECK(harness.host().sudo.asked == 3); // the one that reads back after a revocation
  const auto& attempts = harness.host().sudo.attempts;
  CHECK(attempts.size() == 3);
  CHECK(std::all_of(attempts.begin(), attempts.end(),
                    [](const auto& attempt) { return attempt == "right\n"; }));
}

TEST_CASE("after lost contact sudo gets its password on the next connection too") {
  Harness harness("right", "right");
  harness.world.scripts[StepHarness::new_closure("system")] = {.drops_connections = true};
  harness.bring_over();
  CHECK(harness.step(StepKind::activate).outcome == Outcome::success);
  CHECK(harness.host().sudo.asked > 2);
}

TEST_CASE("a sudo that does not ask gets no password, and the agent neither") {
  StepHarness harness(through_sudo("never sent"));
  harness.host().sudo.lecture = "sudo: unable to resolve host web\n";
  harness.bring_over(); // an agent that met the password as a request would have thrown
  CHECK(harness.step(StepKind::activate).outcome == Outcome::success);
  CHECK(harness.host().sudo.attempts.empty());
}

TEST_CASE("a wrong password is tried once, and eats no request") {
  Harness harness("right", "wrong");
  const auto result = harness.copied();
  CHECK(result.outcome == Outcome::error);
  CHECK(result.reason == "secret");
  CHECK_FALSE(result.touched);
  CHECK(result.message.find("the environment variable SUDO") != std::string::npos);
  CHECK(result.message.find("wrong,") != std::string::npos);
  CHECK(harness.host().sudo.attempts == std::vector<std::string>{"wrong\n"});
  CHECK(harness.host().transactions.empty());
}

TEST_CASE("a password that an activation made wrong is offered once more, when the host is back") {
  Harness harness("right", "right");
  auto& sudo = harness.host().sudo;
  harness.world.scripts[StepHarness::new_closure("system")].meanwhile = [&] {
    sudo.wrong_until = belay::BootClock::now() + std::chrono::milliseconds(500);
    sudo.attempts.clear();
  };
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  INFO(result.message);
  CHECK(sudo.attempts.size() == 2);
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.rollback == Rollback::succeeded);
}

TEST_CASE("where nothing is heard of the host, the password is offered again when its time is up") {
  auto spec = through_sudo("right");
  spec.foreign_lock = std::chrono::seconds(6); // so long may the target take
  StepHarness harness(spec);
  auto& sudo = harness.host().sudo;
  sudo.asks = true;
  sudo.password = "right";
  auto& script = harness.world.scripts[StepHarness::new_closure("system")];
  script.drops_connections = true;
  script.meanwhile = [&] {
    sudo.wrong_until = belay::BootClock::now() + std::chrono::seconds(2);
    sudo.attempts.clear();
  };
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  INFO(result.message);
  CHECK(sudo.attempts.size() >= 2);
  CHECK(sudo.attempts.size() <= 3); // the last one proves that one can get in again
  CHECK(result.rollback == Rollback::succeeded);
}

TEST_CASE("a password that stays wrong is offered twice in a run, and what is not known is said") {
  Harness harness("right", "right");
  auto& sudo = harness.host().sudo;
  harness.world.scripts[StepHarness::new_closure("system")].meanwhile = [&] {
    sudo.password = "another";
    sudo.attempts.clear();
  };
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(sudo.attempts == std::vector<std::string>{"right\n", "right\n"});
  CHECK(result.reason == "rollback-failed"); // nobody gets in
  CHECK(harness.step(StepKind::finish).outcome == Outcome::success); // by the old connection
  CHECK(sudo.attempts.size() == 2);
}

TEST_CASE("a lecture longer than what is kept of stderr does not hide the prompt") {
  Harness harness("right", "right");
  harness.host().sudo.lecture = std::string(10'000, '#');
  harness.bring_over();
  CHECK(harness.host().sudo.attempts.size() == 1);
}

TEST_CASE("a sudo that wants a password that nobody has says how to go on") {
  StepHarness harness(through_sudo());
  harness.host().sudo.asks = true;
  harness.step(StepKind::build);
  const auto result = harness.step(StepKind::copy);
  CHECK(result.reason == "no-privilege");
  CHECK(result.message.find("asks deploy for a password") != std::string::npos);
  CHECK(result.message.find("deploy ALL=(root) NOPASSWD: ") != std::string::npos);
  CHECK(result.message.find("sudoPasswordEnv") != std::string::npos);
}

TEST_CASE("a login that may not use sudo is told the line that would allow it") {
  StepHarness harness(through_sudo());
  harness.host().sudo.refusal = "Sorry, user deploy is not allowed to execute that as root.\n";
  harness.step(StepKind::build);
  const auto result = harness.step(StepKind::copy);
  CHECK(result.outcome == Outcome::error);
  CHECK(result.reason == "no-privilege");
  CHECK(result.message.find("'deploy ALL=(root) NOPASSWD: /nix/store/*-belay-agent serve'") !=
        std::string::npos);
  CHECK(result.message.find("Sorry, user deploy") != std::string::npos);
}

TEST_CASE(
    "a question that is not sudo's own is not answered, and waited for no longer than meant") {
  belay::fakes::FakeWorld world;
  auto& host = world.hosts["web"];
  host.sudo.asks = host.sudo.asks_in_own_words = true;
  const auto transport = world.transport();
  belay::ssh::HostAddress address;
  address.hostname = "web";
  const auto session = transport->connect(address, belay::ssh::Purpose::work, {}, {});
  const AgentStart start{"/agent", "deploy", "root", "sudo -u",
                         std::make_shared<const Secret>("right", "somewhere")};
  try {
    const belay::run::AgentClient client(*session, start,
                                         belay::Wait::at_most(std::chrono::milliseconds(50)));
    FAIL("it greeted");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::deadline_exceeded);
    CHECK(error.message().find("Verification code:") != std::string::npos);
  }
  CHECK(host.sudo.attempts.empty());
}

namespace {

struct Case {
  std::string sudo;
  int status;
  std::string says;
  ErrorKind kind;
  std::string told;
};

} // namespace

TEST_CASE("why no agent greeted is told in the terms of the target's settings") {
  const auto row = GENERATE(values<Case>({
      {"sudo -u", 127, "sh: 1: sudo: not found", ErrorKind::no_privilege, "the target has no sudo"},
      {"sudo -u", 1, "sudo: sorry, you must have a tty to run sudo", ErrorKind::no_privilege,
       "'Defaults:deploy !requiretty'"},
      {"sudo -u", 1, "sudo: unknown user app", ErrorKind::no_privilege, "has no user app"},
      {"sudo -u", 1, "deploy is not in the sudoers file.", ErrorKind::no_privilege,
       "'deploy ALL=(app) NOPASSWD: /nix/store/*-belay-agent serve' in sudoers"},
      {"sudo -u", 1, "deploy n'apparait pas dans le fichier sudoers.", ErrorKind::no_privilege,
       "in sudoers"},
      {"/usr/bin/doas -u", 1, "doas: Operation not permitted", ErrorKind::no_privilege,
       "'permit nopass deploy as app' in /etc/doas.conf"},
      {"doas -u", 1, "doas: Authentication failed", ErrorKind::no_privilege, "doas asks deploy"},
      {"doas -u", 1, "doas: a tty is required", ErrorKind::no_privilege, "doas asks deploy"},
      {"sudo -u", 1, "sudo: unable to execute /nix: Exec format error", ErrorKind::agent_missing,
       "did not start"},
      {"sudo -u", 3, "belay-agent: disk is full", ErrorKind::agent_missing, "did not start"},
  }));
  const AgentStart start{"/nix/store/0123456789abcdfghijklmnpqrsvwxyz-belay-agent", "deploy", "app",
                         row.sudo, nullptr};
  const auto error = start_failure(start, {"COMMAND", {row.status, {}, row.says, true}, "", false});
  INFO(row.says << " -> " << error.message());
  CHECK(error.kind() == row.kind);
  CHECK(error.message().find(row.told) != std::string::npos);
  CHECK(error.message().find(row.says) != std::string::npos);
}

TEST_CASE("a password that sudo turned down in its only attempt is a wrong password") {
  const AgentStart start{"/agent", "deploy", "root", "sudo -u",
                         std::make_shared<const Secret>("wrong", "the file pw")};
  const FailedStart failed{
      "COMMAND", {1, {}, "sudo: 1 incorrect password attempt\n", true}, "", true};
  CHECK(start_failure(start, failed).kind() == ErrorKind::secret);
  CHECK(start_failure(start, failed).message().find("the file pw") != std::string::npos);
}

TEST_CASE("with storeSudo the login brings the agent and the owner the closure") {
  Harness harness("right", "right", true);
  harness.bring_over();
  auto& brought_by = harness.host().brought_by;
  CHECK(brought_by[belay::fakes::fake_path("belay-agent").string()].starts_with("deploy"));
  CHECK(brought_by[StepHarness::new_closure("system")] == "root");
  CHECK(harness.ended("system", belay::event::Stage::copy).details.at("store_access") == "sudo");
  CHECK(harness.host().sudo.asked == 2); // for the store, and for the agent
  CHECK(harness.host().sudo.attempts == std::vector<std::string>{"right\n", "right\n"});
}

TEST_CASE("with storeSudo the target builds as the owner, too") {
  auto spec = through_sudo({}, true);
  spec.remote_builds = {"system"};
  StepHarness harness(spec);
  harness.bring_over();
  CHECK(harness.host().built.contains(StepHarness::new_closure("system")));
}

TEST_CASE("a wrong password at the store's door is told as one, and is tried once") {
  Harness harness("right", "wrong", true);
  const auto result = harness.copied();
  CHECK(result.reason == "secret");
  CHECK(harness.host().sudo.attempts.size() == 1);
  CHECK_FALSE(harness.host().store.contains(StepHarness::new_closure("system")));
}

TEST_CASE("a sudo that does not let the store be served names the line that would") {
  Harness harness("", "", true);
  harness.host().sudo.asks = false;
  harness.host().sudo.refusal = "sudo: a password is required\n";
  const auto result = harness.copied();
  CHECK(result.reason == "no-privilege");
  CHECK_THAT(result.message, Catch::Matchers::Contains("belay-agent store"));
}
