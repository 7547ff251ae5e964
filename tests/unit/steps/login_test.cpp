// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.h"
#include "tests/unit/steps/step_harness.h"

using belay::Error;
using belay::ErrorKind;
using belay::event::Outcome;
using belay::event::Rollback;
using belay::event::Stage;
using belay::run::NodeLink;
using belay::run::Owner;
using belay::run::StepKind;
using belay::tests::NodeSpec;
using belay::tests::StepHarness;

// One node, several logins: each profile goes its own way, and those that meet in the same state
// directory are one transaction.

namespace {

const belay::plan::Login with_key_a = {"root", {"-i", "a"}};
const belay::plan::Login with_key_b = {"root", {"-i", "b"}};
const belay::plan::Login other_port = {"root", {"-p", "2222"}};

std::string current(const belay::fakes::FakeHost& host, const std::string& profile) {
  return host.generations.at(profile).back();
}

std::size_t open_transactions(const belay::fakes::FakeHost& host) {
  std::size_t count = 0;
  for (const auto& [id, transaction] : host.transactions) {
    count += transaction.finished ? 0 : 1;
  }
  return count;
}

void check_went_by(StepHarness& harness, const std::string& profile, const std::string& login) {
  INFO(profile);
  CHECK(harness.host().brought_by.at(StepHarness::new_closure(profile)) == login);
  CHECK(harness.host().activated_by.at(profile) == login);
  CHECK(harness.host().confirmed_by.at(profile) == login);
}

/// A node whose second profile is on another machine, behind another port of the same address.
NodeSpec two_machines() {
  return {.profiles = {"system", "app"}, .logins = {{"app", other_port}}};
}

void add_second_machine(StepHarness& harness) {
  harness.world.hosts["web:2222"].generations["app"] = {StepHarness::old_closure("app")};
}

} // namespace

TEST_CASE("logins: each profile is brought, activated and confirmed by its own") {
  StepHarness harness({.profiles = {"system", "app"},
                       .logins = {{"app", {"alice", {"-4"}}}},
                       .users = {{"app", "alice"}}});
  harness.bring_over();
  CHECK(harness.host().connections == 2);
  CHECK(open_transactions(harness.host()) == 2);
  CHECK(harness.step(StepKind::activate).outcome == Outcome::success);
  check_went_by(harness, "system", "root");
  check_went_by(harness, "app", "alice -4");
  CHECK(harness.step(StepKind::finish).outcome == Outcome::success);
  CHECK(open_transactions(harness.host()) == 0);
}

TEST_CASE("logins: two of the same user are one transaction") {
  const auto specs = {
      NodeSpec{.profiles = {"system", "app", "web"},
               .logins = {{"system", with_key_a}, {"app", with_key_b}, {"web", with_key_a}}},
      NodeSpec{.profiles = {"system", "app", "web"},
               .logins = {{"system", with_key_a}, {"app", {"deploy", {}}}, {"web", with_key_a}}}};
  for (const auto& spec : specs) {
    StepHarness harness(spec);
    harness.bring_over();
    CHECK(harness.host().connections == 2);
    REQUIRE(harness.host().transactions.size() == 1);
    const auto& transaction = harness.host().transactions.begin()->second;
    REQUIRE(transaction.profiles.size() == 3);
    CHECK(transaction.profiles[1].request.name == "app"); // the plan's order
    for (const auto* profile : {"system", "app", "web"}) {
      CHECK(harness.ended(profile, Stage::lock).generation_before == 1);
    }
    const auto result = harness.step(StepKind::activate);
    INFO(result.message);
    CHECK(result.outcome == Outcome::success);
    check_went_by(harness, "system", "root -i a");
    check_went_by(harness, "app", spec.logins.at("app") == with_key_b ? "root -i b" : "deploy");
    check_went_by(harness, "web", "root -i a");
    CHECK(harness.host().confirm_connections == 3);
    CHECK(harness.step(StepKind::finish).outcome == Outcome::success);
    CHECK(transaction.finished);
  }
}

TEST_CASE("logins: who cannot get in any more by one of them does not keep the new profile") {
  StepHarness harness(
      {.profiles = {"system", "app"}, .logins = {{"system", with_key_a}, {"app", with_key_b}}});
  harness.host().closed_logins = {"root -i b"};
  harness.host().opens_when_back = true;
  harness.bring_over();
  const auto result = harness.step(StepKind::activate);
  CHECK(result.outcome == Outcome::failure);
  CHECK(result.reason == "confirm-timeout");
  CHECK(result.rollback == Rollback::succeeded);
  CHECK(current(harness.host(), "app") == StepHarness::old_closure("app"));
  CHECK(current(harness.host(), "system") == StepHarness::old_closure("system"));
  CHECK(harness.rollbacks().size() == 2);
}

TEST_CASE("logins: a node of two is taken back by each of them") {
  StepHarness harness(
      {.profiles = {"system", "app"}, .logins = {{"system", with_key_a}, {"app", with_key_b}}});
  harness.bring_over();
  REQUIRE(harness.step(StepKind::activate).outcome == Outcome::success);
  CHECK(harness.step(StepKind::rollback).rollback == Rollback::succeeded);
  CHECK(current(harness.host(), "app") == StepHarness::old_closure("app"));
  CHECK(current(harness.host(), "system") == StepHarness::old_closure("system"));
}

TEST_CASE("logins: one that leads to another machine has a transaction there") {
  StepHarness harness(two_machines());
  add_second_machine(harness);
  harness.bring_over();
  auto& second = harness.world.hosts["web:2222"];
  CHECK(open_transactions(harness.host()) == 1);
  CHECK(open_transactions(second) == 1);
  CHECK(second.store.contains(belay::fakes::fake_path("belay-agent").string()));
  CHECK(harness.step(StepKind::activate).outcome == Outcome::success);
  CHECK(current(second, "app") == StepHarness::new_closure("app"));
  CHECK(current(harness.host(), "app") == StepHarness::old_closure("app"));
  CHECK(harness.step(StepKind::finish).outcome == Outcome::success);
  CHECK(open_transactions(harness.host()) + open_transactions(second) == 0);
}

TEST_CASE("logins: a lock that is not to be had gives back the one that was") {
  StepHarness harness(two_machines());
  add_second_machine(harness);
  harness.world.hosts["web:2222"].lock_holder = "other-run";
  harness.step(StepKind::build);
  CHECK(harness.step(StepKind::copy).reason == "lock-held");
  CHECK(harness.ended("system", Stage::lock).outcome == Outcome::success);
  CHECK(harness.ended("app", Stage::lock).reason == "lock-held");
  CHECK(open_transactions(harness.host()) == 0);
}

TEST_CASE("logins: a transaction is told once, by whoever can") {
  NodeLink link;
  for (const auto* name : {"a", "b", "c", "d"}) {
    Owner owner;
    owner.user = name;
    link.owners.push_back(std::move(owner));
  }
  link.owners[0].transaction = link.owners[1].transaction = link.owners[2].transaction = "tx";
  std::string told;
  CHECK_FALSE(link.for_each_transaction([&](const Owner& owner) {
    told += owner.user;
    if (owner.user == "a") {
      throw Error(ErrorKind::unreachable, "a is gone");
    }
  }));
  CHECK(told == "ab"); // not c: it knows by then; not d: it has none
  const auto untold = link.for_each_transaction(
      [](const Owner& owner) { throw Error(ErrorKind::unreachable, owner.user + " is gone"); });
  REQUIRE(untold);
  CHECK(untold->kind() == ErrorKind::unreachable);
}
