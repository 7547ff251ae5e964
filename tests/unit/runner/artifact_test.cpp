// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "runner/artifact.h"
#include "tests/catch.h"

#include <nlohmann/json.hpp>

namespace belay::runner {
namespace {

using nlohmann::json;

StorePath path(const std::string& name) {
  return *StorePath::parse("/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-" + name);
}

plan::Plan small_plan() {
  plan::Plan plan;
  plan.environment = "production";
  plan.flakes = {"."};
  plan::Node web{"web-1", ".", "web-1.internal", {}, {}, {}, {}};
  web.profiles.push_back({"system", path("web"), path("web.drv"), {}, "root"});
  web.profiles.back().login.user = "deploy";
  plan.nodes.push_back(web);
  plan.policy.parallel = 3;
  return plan;
}

std::vector<PlannedFlake> locked() {
  return {{".", {"git+file:///work?rev=1", "sha256-AAAA", true}}};
}

std::string small_file() {
  return write_artifact(make_artifact(small_plan(), locked(), true));
}

std::string refusal(const std::string& text) {
  try {
    read_artifact(text);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::invalid_plan);
    return error.message();
  }
  return "";
}

/// What is said of the file with another value at a place and a hash that is right again, as
/// another belay could have written it.
std::string forged_refusal(const char* place, const json& value) {
  json file = json::parse(small_file());
  file.erase("integrity");
  file[json::json_pointer(place)] = value;
  return refusal(seal_artifact(file.dump(2)));
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("an artifact is read as it was written") {
  const std::string text = small_file();
  CHECK(json::parse(text).at("version") == 1);
  CHECK(small_file() == text); // nothing in it but the plan: no time, no chance
  const Artifact read = read_artifact(text);
  CHECK(read.plan == small_plan());
  CHECK(read.flakes == locked());
  CHECK_FALSE(read.belay.empty());
  CHECK(read.checked);
  CHECK_FALSE(read_artifact(write_artifact(make_artifact(small_plan(), locked(), false))).checked);
}

TEST_CASE("an artifact with any one byte changed is refused") {
  const std::string text = small_file();
  std::size_t told_changed = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    const std::string said = refusal(changed);
    INFO(at << ": " << changed.substr(at < 20 ? 0 : at - 20, 40));
    CHECK_FALSE(said.empty());
    told_changed += has(said, "was changed or cut off") ? 1 : 0;
  }
  CHECK(told_changed > text.size() * 9 / 10); // the rest hits what says that it is an artifact
}

TEST_CASE("an artifact that is cut off anywhere, or longer, is refused") {
  const std::string text = small_file();
  for (std::size_t length = 0; length < text.size(); ++length) {
    INFO(length);
    CHECK_FALSE(refusal(text.substr(0, length)).empty());
  }
  CHECK(has(refusal(text.substr(0, text.size() / 2)), "changed or cut off"));
  CHECK(has(refusal(text + "\n"), "changed or cut off"));
  CHECK(has(refusal(json::parse(text).dump(4)), "changed or cut off"));
  CHECK(has(refusal(text.substr(0, 40) + "\r" + text.substr(40)), "changed or cut off"));
}

TEST_CASE("what is no artifact is told from one") {
  CHECK(has(refusal(""), "no plan artifact"));
  CHECK(has(refusal("version: 1\n"), "no plan artifact"));
  CHECK(has(refusal("[]"), "no plan artifact"));
  CHECK(has(refusal(plan::plan_to_json(small_plan())), "--format json prints"));
  CHECK(has(refusal(R"({"format": "other", "version": 1})"), "its format is \"other\""));
  CHECK(has(refusal(R"({"format": "belay-plan-artifact", "version": 2})"), "version 2"));
  CHECK(has(refusal(R"({"format": "belay-plan-artifact"})"), "version null"));
}

TEST_CASE("a whole artifact of a belay with other settings is refused by their name") {
  CHECK(has(forged_refusal("/plan/nodes/0/profiles/0/shiny", true), "unknown field \"shiny\""));
  CHECK(has(forged_refusal("/plan/policy/parallel", 0), "plan.policy.parallel"));
  CHECK(has(forged_refusal("/flakes/0", json::object()), "flakes"));
  CHECK(has(forged_refusal("/flakes", 1), "flakes"));
  CHECK(has(forged_refusal("/plan", nullptr), "plan: expected an object"));
  CHECK(has(forged_refusal("/belay", 7), "who wrote it"));
  CHECK(forged_refusal("/belay", "9.9.9").empty());
  CHECK(has(forged_refusal("/checks", 1), "checks"));
}

TEST_CASE("no secret and no place of a report gets into an artifact") {
  plan::Plan plan = small_plan();
  plan.reports.junit = "out/junit.xml";
  plan::Webhook secret;
  secret.url = "https://hooks.example.com/SECRET";
  plan::Webhook named;
  named.url_env = "HOOK";
  named.line = 7;
  plan.webhooks = {secret, named};
  plan.flakes = {"git+https://me:SECRET@example.com/x?ref=main&access_token=SECRET",
                 "https://ghp_SECRET@example.com/y.tar.gz"};
  plan.nodes[0].flake = plan.flakes[0];
  const std::vector<PlannedFlake> flakes{
      {plan.flakes[0], {"git+https://me:SECRET@example.com/x?rev=1", "sha256-A", true}}};
  const std::string text = write_artifact(make_artifact(plan, flakes, false));
  CHECK_FALSE(has(text, "SECRET"));
  const Artifact read = read_artifact(text);
  CHECK_FALSE(read.plan.reports.junit);
  REQUIRE(read.plan.webhooks.size() == 1);
  CHECK(read.plan.webhooks[0].url_env == "HOOK");
  CHECK(read.flakes[0].lock.url == "git+https://example.com/x?rev=1");
  CHECK(read.flakes[0].reference == read.plan.nodes[0].flake);
}

TEST_CASE("two flakes that differ in their credentials alone make no artifact") {
  plan::Plan plan = small_plan();
  plan.flakes = {"https://ghp_A@example.com/x", "https://ghp_B@example.com/x"};
  try {
    make_artifact(plan, {}, true);
    FAIL("it was made");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::invalid_plan);
    CHECK(has(error.message(), "two flakes are both https://example.com/x without"));
    CHECK_FALSE(has(error.message(), "ghp_"));
  }
}

TEST_CASE("a text that is not UTF-8 is not written as another one") {
  plan::Plan plan = small_plan();
  plan.nodes[0].profiles[0].login.options = {"\xff"};
  CHECK_THROWS_AS(write_artifact(make_artifact(plan, locked(), true)), Error);
}

} // namespace belay::runner
