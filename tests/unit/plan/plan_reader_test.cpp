// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/plan/plan_json.h"
#include "tests/catch.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace belay::plan {
namespace {

using nlohmann::json;

constexpr const char* host_key =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPQ3E1oUnZ5HZY3pRNYSmiBnBM6kSWcZP2LFdQpEXGcl";

StorePath path(const std::string& name) {
  return *StorePath::parse("/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-" + name);
}

Profile odd_profile() {
  Profile profile{"system", path("web"), path("web.drv"), "/nix/var/p", "root"};
  profile.login = {"deploy", {"-p", "22 22"}, Transport::openssh};
  profile.sudo = "doas -u";
  profile.mode = Mode::boot;
  profile.auto_rollback = profile.magic_rollback = false;
  profile.confirm_timeout = Seconds(1);
  profile.activation_timeout = Seconds(65'535);
  profile.boot_default = BootDefault::after_confirm;
  profile.fast_connection = profile.remote_build = profile.store_sudo = true;
  profile.sudo_password = SecretSource{SecretSource::Kind::file, "/run/password"};
  return profile;
}

Plan odd_plan() {
  Plan plan;
  plan.file = "belay.yaml";
  plan.environment = "production";
  plan.flakes = {"."};
  Node web{"web.1\n\x1b[31mé", ".", "web-1.internal", host_key, {odd_profile()}, {}, {}};
  Profile user = odd_profile();
  user.name = "user";
  user.sudo_password = SecretSource{SecretSource::Kind::variable, "PASSWORD"};
  web.profiles.push_back(user);
  Node bad{"bad", ".", "bad.internal", {}, {}, {"system"}, "no such kernel", true};
  plan.nodes = {web, bad};
  plan.policy = {Mode::boot,   OnFailure::proceed, false,       3,
                 {2, 3, 5, 7}, Seconds(11),        Seconds(12), Seconds(13)};
  plan.reports = {"out/events.jsonl", "out/junit.xml"};
  Webhook webhook;
  webhook.url_env = "HOOK";
  webhook.secret_file = "/run/secret";
  webhook.events = {"run.*"};
  webhook.allow_http = true;
  webhook.timeout = Seconds(3);
  Webhook other;
  other.url_file = "hook";
  other.secret_env = "SECRET";
  plan.webhooks = {webhook, other};
  return plan;
}

std::string refusal(const json& value) {
  try {
    plan_from_json(value);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::invalid_plan);
    return error.message();
  }
  return "";
}

/// Every place in `value` that holds no other places, as a JSON pointer.
void collect(const json& value, const json::json_pointer& at,
             std::vector<json::json_pointer>& into) {
  if (!value.is_structured() || value.empty()) {
    into.push_back(at);
  } else if (value.is_object()) {
    for (const auto& [name, inner] : value.items()) {
      collect(inner, at / name, into);
    }
  } else {
    for (std::size_t i = 0; i < value.size(); ++i) {
      collect(value[i], at / i, into);
    }
  }
}

std::vector<json::json_pointer> places(const json& value) {
  std::vector<json::json_pointer> found;
  collect(value, json::json_pointer(), found);
  return found;
}

/// Fields of `blank` that have its value in each of `odd`.
std::set<std::string> same_fields(const json& blank, const json& odd) {
  std::set<std::string> same;
  for (const auto& [name, value] : blank.items()) {
    const bool told =
        std::any_of(odd.begin(), odd.end(), [&name = name, &value = value](const json& other) {
          return other.at(name) != value;
        });
    if (!told) {
      same.insert(name);
    }
  }
  return same;
}

} // namespace

TEST_CASE("a plan that is written and read is the same plan, whatever its settings") {
  const Plan plan = odd_plan();
  const json written = to_json(plan);
  CHECK(plan_from_json(json::parse(written.dump())) == plan);
  CHECK(to_json(plan_from_json(written)) == written);
}

TEST_CASE("the plan that is written and read has no setting that a new one has") {
  // Else a field that is forgotten on the way would not be missed.
  Plan plan;
  plan.nodes.push_back({"", "", "", {}, {{"", path("none"), {}, {}, ""}}, {}, {}});
  plan.webhooks.emplace_back();
  const json blank = to_json(plan);
  const json odd = to_json(odd_plan());
  const auto profile = json::json_pointer("/nodes/0/profiles");
  CHECK(same_fields(blank[profile][0], odd[profile]).empty());
  CHECK(same_fields(blank["nodes"][0], odd["nodes"]).empty());
  CHECK(same_fields(blank["policy"], json::array({odd["policy"]})).empty());
  CHECK(same_fields(blank["policy"]["limits"], json::array({odd["policy"]["limits"]})).empty());
  CHECK(same_fields(blank["reports"], json::array({odd["reports"]})).empty());
  CHECK(same_fields(blank["webhooks"][0], odd["webhooks"]) == std::set<std::string>{"url_origin"});
  CHECK(same_fields(blank, json::array({odd})) == std::set<std::string>{"version"});
}

TEST_CASE("a plan's JSON without one of its fields, or with one more, is refused by its name") {
  const json written = to_json(odd_plan());
  for (const auto& place : places(written)) {
    INFO(place.to_string());
    if (place.back() == "0" || place.back() == "1") {
      continue; // of a list, which may be shorter
    }
    json without = written;
    without.at(place.parent_pointer()).erase(place.back());
    CHECK(refusal(without).find("." + place.back() + ": this field is missing") !=
          std::string::npos);
    json more = written;
    more.at(place.parent_pointer())[place.back() + "_"] = true;
    CHECK(refusal(more).find("unknown field \"" + place.back() + "_\"") != std::string::npos);
  }
}

TEST_CASE("a value of another form is refused by its place") {
  const json written = to_json(odd_plan());
  for (const auto& place : places(written)) {
    INFO(place.to_string());
    json wrong = written;
    wrong[place] = json::object({{"a", 1}});
    CHECK(refusal(wrong).find(place.back() == "0" ? "[0]" : place.back()) != std::string::npos);
  }
}

TEST_CASE("values that no plan has are refused") {
  const json written = to_json(odd_plan());
  const auto with = [&](const char* place, const json& value) {
    json wrong = written;
    wrong[json::json_pointer(place)] = value;
    return refusal(wrong);
  };
  CHECK(with("/version", 2) == "plan.version: does not go with the rest");
  CHECK(with("/nodes/0/target", ".#other").find("does not go with") != std::string::npos);
  CHECK(with("/nodes/0/profiles/0/path", "/etc/passwd") ==
        "plan.nodes[0].profiles[0].path: \"/etc/passwd\" is no path directly in the store");
  CHECK(with("/nodes/0/profiles/0/derivation", "/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-x")
            .find("ends in .drv") != std::string::npos);
  CHECK(with("/nodes/0/profiles/0/user", "root; id").find("no name of a user") !=
        std::string::npos);
  CHECK(with("/nodes/0/profiles/0/profile_path", "p").find("absolute") != std::string::npos);
  json unlinked = written;
  unlinked["nodes"][0]["profiles"][0]["profile_path"] = nullptr;
  unlinked["nodes"][0]["profiles"][0]["name"] = "../x";
  CHECK(refusal(unlinked).find("no name for a link") != std::string::npos);
  CHECK(with("/nodes/0/profiles/0/confirm_timeout_s", 65'536).find("from 0 to 65535") !=
        std::string::npos);
  CHECK(with("/nodes/0/profiles/0/confirm_timeout_s", -1) != "");
  CHECK(with("/nodes/0/profiles/0/confirm_timeout_s", 1.5) != "");
  CHECK(with("/nodes/0/profiles/0/mode", "dry-activate").find("not that of the policy") !=
        std::string::npos);
  CHECK(with("/nodes/0/profiles/0/transport", "pigeon").find("\"pigeon\"") != std::string::npos);
  CHECK(with("/nodes/0/profiles/0/sudo_password_env", "X").find("too") != std::string::npos);
  CHECK(with("/nodes/0/host", "-oProxyCommand=id").find("host") != std::string::npos);
  CHECK(with("/nodes/0/host_key", "ssh-rsa A\n* ssh-rsa B").find("host_key") != std::string::npos);
  CHECK(with("/nodes/0/id", std::string("a\0b", 3)) != "");
  CHECK(with("/policy/parallel", 0).find("from 1 to 10000") != std::string::npos);
  CHECK(with("/webhooks/0/url_origin", "https://a").find("not there") != std::string::npos);
  json twice = written;
  twice["nodes"].push_back(twice["nodes"][1]);
  CHECK(refusal(twice) == "node \"bad\": is there twice");
  CHECK(refusal(json::array()) == "plan: expected an object");
}

} // namespace belay::plan
